import { ExternalLink } from 'lucide-react';
import { webUrl } from '../format/names.ts';

/** An address from outside: a link when it is http(s), else plain text. */
export function External({ url, children }: { url: string; children?: React.ReactNode }) {
  const href = webUrl(url);
  if (href === null) return <span className="break-all">{children ?? url}</span>;
  return (
    <a href={href} target="_blank" rel="noreferrer noopener" className="link">
      {children ?? url}
      <ExternalLink aria-hidden className="ml-1 inline size-3 align-baseline" />
      <span className="sr-only"> (opens in a new tab)</span>
    </a>
  );
}
