const WIDTH = 56;
const HEIGHT = 16;

/** Requests per second of the last minute; gaps where nothing was measured. Decoration beside the figures. */
export function Sparkline({ values }: { values: readonly (number | null)[] }) {
  return (
    <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true" className="h-4 w-14 shrink-0 text-muted">
      <path d={path(values)} fill="none" stroke="currentColor" strokeWidth="1.25" strokeLinejoin="round" />
    </svg>
  );
}

function path(values: readonly (number | null)[]): string {
  const most = Math.max(1, ...values.map((value) => value ?? 0));
  const step = WIDTH / 59;
  const start = 60 - values.length;
  let pen = false;
  let d = '';
  values.forEach((value, i) => {
    if (value === null) {
      pen = false;
      return;
    }
    const x = ((start + i) * step).toFixed(1);
    const y = (HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1);
    d += `${pen ? 'L' : 'M'}${x} ${y}`;
    pen = true;
  });
  return d;
}
