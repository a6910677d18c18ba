import { useState } from 'react';
import { ScrollRegion } from './scroll-region.tsx';

/** The figures of a chart as a table, for those who cannot see it or want the numbers; built when opened. */
export function TableTwin({
  caption,
  head,
  rows,
}: {
  caption: string;
  head: readonly string[];
  rows(): readonly (readonly string[])[];
}) {
  const [open, setOpen] = useState(false);
  return (
    <details className="mt-3 text-sm" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="w-fit rounded text-xs text-muted hover:text-text">The same as a table</summary>
      {open && (
        <ScrollRegion label={caption} className="mt-2 max-h-80 rounded-md border">
          <table className="w-full text-xs">
            <caption className="sr-only">{caption}</caption>
            <thead className="sticky top-0 bg-raised">
              <tr>
                {head.map((name) => (
                  <th key={name} scope="col" className="px-2 py-1 text-right font-medium first:text-left">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows().map((row, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other identity
                <tr key={i} className="border-t">
                  {row.map((value, column) => (
                    // biome-ignore lint/suspicious/noArrayIndexKey: columns are fixed
                    <td key={column} className="px-2 py-1 text-right whitespace-nowrap first:text-left">
                      {value}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollRegion>
      )}
    </details>
  );
}
