import { useMutation, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { api, call } from '../api/client.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Failure } from '../parts/states.tsx';

/** Trades a token for a session; a link `/login#<token>` does it by itself. The token stays in no address and no storage. */
export function SignIn({ onDone }: { onDone(): void }) {
  const [token, setToken] = useState('');
  const client = useQueryClient();
  const signIn = useMutation({
    mutationFn: (secret: string) =>
      call(
        api.POST('/v1/session', { body: { token: secret } }) as Promise<{
          data?: unknown;
          response: Response;
        }>,
      ),
    onSuccess: async () => {
      setToken('');
      await client.resetQueries();
      onDone();
    },
  });
  const { mutate } = signIn;
  const started = useRef(false);
  useEffect(() => {
    const secret = takeFragment();
    if (secret === '' || started.current) return;
    started.current = true;
    mutate(secret);
  }, [mutate]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (token.trim() !== '') mutate(token.trim());
  };
  return (
    <main className="mx-auto flex min-h-screen max-w-sm flex-col justify-center gap-6 p-6">
      <div className="flex items-center gap-2.5">
        <img src="/icon.svg" alt="" className="size-8" />
        <h1 className="text-xl font-semibold tracking-tight">Slipway</h1>
      </div>
      <form onSubmit={submit} className="flex flex-col gap-4 rounded-xl border bg-panel p-5">
        <Field
          label="Token"
          type="password"
          value={token}
          hint="On this machine the file run/admin-token of the data directory holds one; slipway token create makes others."
          onChange={(event) => setToken(event.target.value)}
          autoFocus
        />
        {signIn.error !== null && <Failure error={signIn.error} />}
        <Button type="submit" look="primary" busy={signIn.isPending} disabled={token.trim() === ''}>
          Sign in
        </Button>
      </form>
    </main>
  );
}

/** The fragment leaves the address bar and the history before anything else happens. */
function takeFragment(): string {
  if (location.pathname !== '/login') return '';
  const secret = decodeURIComponent(location.hash.slice(1));
  if (secret !== '') history.replaceState(history.state, '', '/login');
  return secret;
}
