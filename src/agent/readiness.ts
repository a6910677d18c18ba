import { request } from 'node:http';

/** null: ready (status 200 to 399). Else why not, in words. An abort of `signal` ends it at once. */
export function probe(
  port: number,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  return new Promise((resolve) => {
    const call = request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent: false,
        headers: { host: `127.0.0.1:${port}`, 'user-agent': 'slipway-probe', connection: 'close' },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        end(status >= 200 && status < 400 ? null : `answered ${status} at ${path}`);
      },
    );
    const timer = setTimeout(() => end(`did not answer at ${path} within ${timeoutMs} ms`), timeoutMs);
    const aborted = () => end('the look was interrupted');
    signal.addEventListener('abort', aborted, { once: true });
    const end = (result: string | null) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
      call.destroy();
      resolve(result);
    };
    call.on('error', (error: Error & { code?: string }) =>
      end(
        error.code === 'ECONNREFUSED'
          ? `does not listen at port ${port}`
          : `broke the connection (${error.code ?? error.message})`,
      ),
    );
    call.end();
  });
}
