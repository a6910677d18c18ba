import { Dialog } from '../parts/dialog.tsx';
import { SHORTCUTS } from './keys.ts';

export function Help({ open, onOpenChange }: { open: boolean; onOpenChange(open: boolean): void }) {
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard">
      <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
        {SHORTCUTS.map(({ keys, does }) => (
          <div key={keys} className="contents">
            <dt>
              <Keys keys={keys} />
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <p className="mt-4 text-xs text-muted">
        In the matrix, arrow keys move between cells and Enter opens one. On a chart, left and right arrows
        move the time.
      </p>
    </Dialog>
  );
}

export function Keys({ keys }: { keys: string }) {
  return (
    <span className="inline-flex gap-1">
      {keys.split(' ').map((key) => (
        <kbd
          key={key}
          className="inline-flex h-5 min-w-5 items-center justify-center rounded border border-strong bg-raised px-1 font-mono text-2xs"
        >
          {key}
        </kbd>
      ))}
    </span>
  );
}
