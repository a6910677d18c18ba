/** The demo's own small client: what anyone can do over the API with the admin token. */
export interface Api {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** Ledger entries as they come, from the first on; ends with the signal. */
  entries(onEntry: (entry: Entry) => void, signal: AbortSignal): Promise<void>;
  url: string;
  token: string;
}

export interface Entry {
  index: number;
  kind: string;
  at: string;
  actor: string;
  service: string | null;
  environment: string | null;
  subject: string;
  body: { data?: Record<string, unknown> } | null;
}

export function createApi(url: string, token: string): Api {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 600)}`);
    return JSON.parse(text) as T;
  };
  return {
    url,
    token,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    async entries(onEntry, signal) {
      let next = 0;
      while (!signal.aborted) {
        try {
          const answer = await fetch(`${url}/v1/stream?topics=entries&from=${next}`, {
            headers: { authorization: `Bearer ${token}` },
            signal,
          });
          let rest = '';
          for await (const chunk of (answer.body as ReadableStream<Uint8Array>).pipeThrough(
            new TextDecoderStream() as never,
          ) as unknown as AsyncIterable<string>) {
            const frames = (rest + chunk).split('\n\n');
            rest = frames.pop() ?? '';
            for (const frame of frames) {
              const event = /^event: (.*)$/m.exec(frame)?.[1];
              const data = /^data: (.*)$/m.exec(frame)?.[1];
              if (event !== 'entry' || data === undefined) continue;
              const entry = JSON.parse(data) as Entry;
              next = entry.index + 1;
              onEntry(entry);
            }
          }
        } catch {
          if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 300));
        }
      }
    },
  };
}
