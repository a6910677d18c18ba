import { useMutation } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useState } from 'react';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';
import { Field } from './field.tsx';
import { Failure } from './states.tsx';

export interface ActionInput {
  reason: string;
  /** The environment's name as typed, where it was asked for. */
  confirm: string | undefined;
}

/**
 * Asks before something changes: what will happen, how to undo it, why it is done, and in production the environment's
 * name. The server asks for the same; this only says it sooner.
 */
export function ActionDialog({
  open,
  onOpenChange,
  title,
  consequence,
  undo,
  typeName,
  reason = 'required',
  confirmLabel,
  danger,
  children,
  onConfirm,
}: {
  open: boolean;
  onOpenChange(open: boolean): void;
  title: string;
  consequence: ReactNode;
  undo: string;
  /** Name that has to be typed; null where no typing is asked for. */
  typeName: string | null;
  reason?: 'required' | 'optional';
  confirmLabel: string;
  danger?: boolean;
  children?: ReactNode;
  onConfirm(input: ActionInput): Promise<unknown>;
}) {
  const [why, setWhy] = useState('');
  const [typed, setTyped] = useState('');
  const mutation = useMutation({
    mutationFn: () => onConfirm({ reason: why.trim(), confirm: typeName === null ? undefined : typed }),
    onSuccess: () => onOpenChange(false),
  });
  const { reset } = mutation;
  useEffect(() => {
    if (open) return;
    setWhy('');
    setTyped('');
    reset();
  }, [open, reset]);
  const ready = (reason === 'optional' || why.trim() !== '') && (typeName === null || typed === typeName);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !mutation.isPending) mutation.mutate();
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={title}
      description={
        <>
          <div className="text-text">{consequence}</div>
          <p className="mt-2">{undo}</p>
        </>
      }
    >
      <form onSubmit={submit} className="flex flex-col gap-3">
        {children}
        <Field
          label={reason === 'required' ? 'Reason' : 'Reason (optional)'}
          hint="Goes into the ledger with your name."
          value={why}
          maxLength={1_000}
          required={reason === 'required'}
          onChange={(event) => setWhy(event.target.value)}
        />
        {typeName !== null && (
          <Field
            label={`Type ${typeName} to confirm`}
            value={typed}
            maxLength={63}
            required
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        {mutation.error !== null && <Failure error={mutation.error} />}
        <div className="flex justify-end gap-2 pt-1">
          <Button onClick={() => onOpenChange(false)}>Cancel</Button>
          <Button
            type="submit"
            look={danger ? 'danger' : 'primary'}
            disabled={!ready}
            busy={mutation.isPending}
          >
            {confirmLabel}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
