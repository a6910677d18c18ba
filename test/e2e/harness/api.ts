/** What a call gave; `status` 0 when nobody answered, or the answer broke off. */
export interface Answer<Body = Record<string, unknown>> {
  status: number;
  body: Body;
}

/** A client of the public API that takes a dead server as an answer, because here it often is one. */
export interface ApiClient {
  url: string;
  token: string;
  call<Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Answer<Body>>;
  /** Rejects unless the answer is 2xx. */
  get<Body>(path: string): Promise<Body>;
  post<Body>(path: string, body: unknown): Promise<Body>;
}

const TIMEOUT_MS = 30_000;

export function createApi(url: string, token: string): ApiClient {
  const call: ApiClient['call'] = async (method, path, body, headers = {}) => {
    try {
      const answer = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
    } catch (error) {
      return { status: 0, body: { error: String((error as Error).cause ?? error) } as never };
    }
  };
  const must = async <Body>(method: string, path: string, body?: unknown): Promise<Body> => {
    const answer = await call<Body>(method, path, body);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 600)}`);
  };
  return {
    url,
    token,
    call,
    get: (path) => must('GET', path),
    post: (path, body) => must('POST', path, body),
  };
}
