import { isAbsolute } from 'node:path';
import { SlipwayError } from '../../kernel/errors.ts';

const MAX_URL = 2048;
const HINT =
  'Use https://host/path.git, ssh://git@host/path.git, git@host:path.git, file:///path or an absolute path.';

/**
 * Accepts the forms of repository addresses Slipway fetches from, and gives the form to hand to git. Refused: options
 * ("-…"), helper transports ("ext::…", "fd::…"), control characters, and passwords, because the address is shown and
 * recorded. The protocol allow list in `git.ts` holds for redirects too. Throws `invalid_input`.
 */
export function parseRepositoryUrl(text: string): string {
  const refuse = (why: string, hint = HINT): never => {
    throw new SlipwayError('invalid_input', `this is not a repository address Slipway can use: ${why}`, {
      hint,
    });
  };
  const url = text.trim();
  if (url === '') return refuse('it is empty');
  if (url.length > MAX_URL) return refuse(`it is longer than ${MAX_URL} characters`);
  if (/[\s\p{Cc}\p{Surrogate}]/u.test(url)) return refuse('it holds white space or control characters');
  if (url.startsWith('-')) return refuse('it begins with "-"');
  if (isAbsolute(url)) return url;
  if (/^[a-z][a-z0-9+.-]*::/i.test(url)) return refuse('helper transports are not allowed');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(url)) return checkUrl(url, refuse);
  const scp = /^(?:([A-Za-z0-9_][A-Za-z0-9._-]*)@)?([A-Za-z0-9][A-Za-z0-9.-]*):(?!\/\/)([^-].*)$/.exec(url);
  return scp ? url : refuse('its form is not known');
}

function checkUrl(url: string, refuse: (why: string, hint?: string) => never): string {
  if (!URL.canParse(url)) return refuse('it does not parse as a URL');
  const parsed = new URL(url);
  switch (parsed.protocol) {
    case 'file:':
      if (parsed.hostname !== '')
        return refuse('a file URL names no host', 'Write three slashes: file:///path.');
      return url;
    case 'http:':
    case 'https:':
    case 'ssh:': {
      if (parsed.hostname === '' || decodeURIComponent(parsed.hostname).startsWith('-'))
        return refuse('it names no host');
      if (/^-|%2d/i.test(parsed.username)) return refuse('the user begins with "-"');
      const isHttp = parsed.protocol !== 'ssh:';
      if (parsed.password !== '' || (isHttp && parsed.username !== '')) {
        return refuse(
          'it holds credentials',
          'Put them in ~/.netrc of the user Slipway runs as, or use an SSH key.',
        );
      }
      if (parsed.hash !== '' || parsed.search !== '')
        return refuse('a query or fragment does not belong there');
      return url;
    }
    default:
      return refuse(`"${parsed.protocol}" is not among file, http, https and ssh`);
  }
}
