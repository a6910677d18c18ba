import { Check, Copy as CopyIcon } from 'lucide-react';
import { useEffect, useState } from 'react';

/** Copies a text; says so in words to a screen reader. */
export function Copy({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1_500);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <button
      type="button"
      aria-label={copied ? 'Copied' : label}
      title={label}
      onClick={() => void navigator.clipboard?.writeText(text).then(() => setCopied(true))}
      className="inline-flex size-6 shrink-0 items-center justify-center rounded text-muted hover:bg-raised hover:text-text"
    >
      {copied ? <Check className="size-3.5" aria-hidden /> : <CopyIcon className="size-3.5" aria-hidden />}
    </button>
  );
}

/** A digest or commit, short, whole in its title and in the clipboard. */
export function Hash({ value, short, what }: { value: string; short: string; what: string }) {
  return (
    <span className="inline-flex items-center">
      <code className="font-mono text-xs" title={value}>
        {short}
      </code>
      <Copy text={value} label={`Copy the ${what}`} />
    </span>
  );
}
