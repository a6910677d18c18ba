import { Agent, request } from 'node:http';

/** One request that did not get an answer of the service. */
export interface Loss {
  atMs: number;
  problem: string;
}

export interface Tally {
  sent: number;
  answered: number;
  losses: Loss[];
  /** Answers by `x-version`. */
  versions: Map<string, number>;
}

export interface Load {
  tally: Tally;
  /** Losses between two instants. */
  lostBetween(fromMs: number, toMs: number): Loss[];
  stop(): Promise<Tally>;
}

const TIMEOUT_MS = 5_000;
/** One request in this many takes 300 ms, so that some are always under way. */
const SLOW_EVERY = 10;

/** An even stream of requests over kept connections; every one is accounted for. */
export function startLoad(url: URL, rps: number): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const tally: Tally = { sent: 0, answered: 0, losses: [], versions: new Map() };
  const underWay = new Set<Promise<void>>();
  const startedAtMs = performance.now();
  const timer = setInterval(() => {
    const due = ((performance.now() - startedAtMs) * rps) / 1_000;
    while (tally.sent < due) {
      const path = tally.sent++ % SLOW_EVERY === 0 ? '/slow' : '/';
      const one = send(agent, url, path).then((result) => {
        underWay.delete(one);
        if (typeof result === 'string') tally.losses.push({ atMs: Date.now(), problem: result });
        else {
          tally.answered++;
          tally.versions.set(result.version, (tally.versions.get(result.version) ?? 0) + 1);
        }
      });
      underWay.add(one);
    }
  }, 5);
  return {
    tally,
    lostBetween: (fromMs, toMs) => tally.losses.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs),
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      agent.destroy();
      return tally;
    },
  };
}

function send(agent: Agent, url: URL, path: string): Promise<{ version: string } | string> {
  return new Promise((resolve) => {
    const call = request({ agent, host: url.hostname, port: url.port, path }, (response) => {
      const version = response.headers['x-version'];
      response.resume();
      response.once('error', (error) => resolve(`cut off: ${error.message}`));
      response.once('end', () => {
        if (response.statusCode === 200 && typeof version === 'string') resolve({ version });
        else resolve(`status ${response.statusCode}`);
      });
    });
    call.setTimeout(TIMEOUT_MS, () => call.destroy(new Error('timeout')));
    call.once('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
    call.end();
  });
}
