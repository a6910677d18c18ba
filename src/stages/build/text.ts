/**
 * Text that PostgreSQL stores as text and as JSON: no zero characters, no halves of surrogate pairs. What steps write and
 * strangers name may hold both.
 */
export function storable(text: string): string {
  return text.replaceAll('\0', '\u{fffd}').toWellFormed();
}

/** JSON of a value with all its texts made storable. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_, member: unknown) =>
    typeof member === 'string' ? storable(member) : member,
  );
}
