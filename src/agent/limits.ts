/** Every bound of the host agent, named once. Times in milliseconds. */
export const LIMITS = {
  /** Bytes of a request body. */
  bodyBytes: 256 * 1024,
  /** A peer gets this long to send its request. */
  requestMs: 10_000,
  connections: 256,
  followers: 32,
  instances: 512,
  lanes: 10_000,
  /** Variables of an instance, and bytes of all names and values together. */
  envVariables: 256,
  envBytes: 128 * 1024,
  /** Wait between restarts of a crashing instance: doubles from the first to the second. */
  backoffFirstMs: 1_000,
  backoffLastMs: 30_000,
  /** An instance that was ready for this long starts its backoff anew. */
  backoffResetMs: 60_000,
  /** An instance adopted from an earlier agent is looked at this often; its end sends no signal to us. */
  adoptedPollMs: 200,
  /** A group that survives SIGKILL is shot again this often. */
  killAgainMs: 1_000,
  /** Wait after a failure of the agent's own disk or of a pull before it is tried again. */
  retryMs: 1_000,
  pullRetryLastMs: 10_000,
  memoryCheckMs: 500,
  /** A log is rotated once above this; one older part is kept. */
  logBytes: 8 * 1024 ** 2,
  logCheckMs: 2_000,
  /** Logs of forgotten instances that are kept. */
  keptLogs: 200,
  tailLines: 10_000,
  tailBytes: 4 * 1024 ** 2,
  reasonLines: 10,
  reasonCharacters: 2_000,
  /** Unused images kept for a quick rollback, by repository. */
  keptImages: 5,
  manifestBytes: 4 * 1024 ** 2,
  configBytes: 1024 ** 2,
  layers: 128,
  /** Ports are drawn here, below the range the kernel uses for outgoing connections. */
  portFirst: 20_000,
  portLast: 32_000,
} as const;
