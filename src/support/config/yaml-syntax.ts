/** Texts from the file that go into messages are short and cannot forge lines. */
export function clip(text: string, length = 60): string {
  const flat = text.replace(/\s+/g, ' ');
  return flat.length > length ? `${flat.slice(0, length - 1)}…` : flat;
}

/** The parser's errors in words a person can act on. */
export function syntaxMessage(code: string, message: string): string {
  if (code === 'TAB_AS_INDENT') return 'a tab indents here; expected spaces';
  if (code === 'TAG_RESOLVE_FAILED') return 'this tag is not read; expected a plain value';
  return `not valid YAML: ${clip(message.split('\n')[0] ?? message, 160)}`;
}

export function syntaxHint(code: string): string {
  switch (code) {
    case 'TAB_AS_INDENT':
      return 'Indent with spaces.';
    case 'BAD_INDENT':
    case 'MISSING_CHAR':
      return 'Check the indentation and that every quote and bracket is closed.';
    case 'MULTILINE_IMPLICIT_KEY':
    case 'BLOCK_AS_IMPLICIT_KEY':
      return 'A text with ": " needs quotes; keys of one mapping stand in one column.';
    case 'TAG_RESOLVE_FAILED':
      return 'Remove the "!" tag.';
    default:
      return 'Check quotes, brackets and indentation near here.';
  }
}
