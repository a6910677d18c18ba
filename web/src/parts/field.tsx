import { type ComponentProps, useId } from 'react';

const INPUT =
  'w-full rounded-md border border-strong bg-bg px-2.5 py-1.5 text-sm text-text placeholder:text-muted disabled:opacity-60';

/** A labelled input; the hint is read with it. */
export function Field({ label, hint, ...rest }: ComponentProps<'input'> & { label: string; hint?: string }) {
  const id = useId();
  return (
    <div className="flex flex-col gap-1">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      <input
        id={id}
        aria-describedby={hint ? `${id}-hint` : undefined}
        autoComplete="off"
        spellCheck={false}
        {...rest}
        className={INPUT}
      />
      {hint && (
        <p id={`${id}-hint`} className="text-xs text-muted">
          {hint}
        </p>
      )}
    </div>
  );
}

/** A search or filter box; `/` puts the focus in the one of the page that has `data-filter`. */
export function FilterInput({ label, ...rest }: ComponentProps<'input'> & { label: string }) {
  return (
    <input
      type="search"
      aria-label={label}
      placeholder={label}
      data-filter
      autoComplete="off"
      spellCheck={false}
      {...rest}
      className={`h-7 w-56 rounded-md border bg-panel px-2.5 text-sm placeholder:text-muted ${rest.className ?? ''}`}
    />
  );
}

export function Select({
  label,
  options,
  ...rest
}: ComponentProps<'select'> & { label: string; options: readonly { value: string; text: string }[] }) {
  return (
    <select aria-label={label} {...rest} className="h-7 rounded-md border bg-panel px-2 text-sm">
      {options.map(({ value, text }) => (
        <option key={value} value={value}>
          {text}
        </option>
      ))}
    </select>
  );
}
