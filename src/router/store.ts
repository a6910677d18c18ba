import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LaneRoute } from '../kernel/dataplane.ts';
import { SlipwayError } from '../kernel/errors.ts';
import { type Lane, laneOf, NAME_PATTERN, splitLane } from '../kernel/ids.ts';
import type { Logger } from '../platform/log.ts';
import { parseLaneRoute } from './route-schema.ts';

/** What the router must know of a lane after a restart. `route` is null once the lane was removed; its fence stays. */
export interface StoredLane {
  lane: Lane;
  fence: number;
  route: LaneRoute | null;
  /** The port that was bound, where the route left the choice to the system. */
  port: number | null;
}

const SUFFIX = '.json';
const SEPARATOR = '@';

/** One file a lane in `directory`, replaced as a whole: a crash leaves the old one or the new one. */
export class LaneStore {
  readonly #directory: string;
  readonly #log: Logger;

  constructor(directory: string, log: Logger) {
    this.#directory = directory;
    this.#log = log;
  }

  /** Every lane on disk. A file that does not parse is set aside under another name: one bad lane must not stop the rest. */
  async load(): Promise<StoredLane[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const lanes: StoredLane[] = [];
    for (const file of await readdir(this.#directory)) {
      if (file.endsWith('.tmp')) await unlink(join(this.#directory, file));
      if (!file.endsWith(SUFFIX)) continue;
      try {
        lanes.push(parseStored(file, await readFile(join(this.#directory, file), 'utf8')));
      } catch (error) {
        this.#log.error({ file, err: error }, 'a stored lane cannot be read and is set aside');
        await rename(join(this.#directory, file), join(this.#directory, `${file}.unreadable`));
      }
    }
    return lanes;
  }

  /** On disk when it resolves: the file's bytes and its name. `disk_full` when there is no room; nothing changed then. */
  async save(stored: StoredLane): Promise<void> {
    const { service, environment } = splitLane(stored.lane);
    const path = join(this.#directory, `${service}${SEPARATOR}${environment}${SUFFIX}`);
    const temporary = `${path}.tmp`;
    try {
      const file = await open(temporary, 'w', 0o600);
      try {
        await file.writeFile(JSON.stringify(stored));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
      await syncDirectory(this.#directory);
    } catch (cause) {
      const full = (cause as NodeJS.ErrnoException).code === 'ENOSPC';
      throw new SlipwayError(
        full ? 'disk_full' : 'internal',
        'the route could not be stored and is not in use',
        {
          hint: 'See to the disk that holds the data directory of the router.',
          cause,
        },
      );
    }
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function parseStored(file: string, text: string): StoredLane {
  const [service = '', environment = ''] = file.slice(0, -SUFFIX.length).split(SEPARATOR);
  if (!NAME_PATTERN.test(service) || !NAME_PATTERN.test(environment))
    throw new TypeError('not the name of a lane');
  const lane = laneOf(service, environment);
  const value = JSON.parse(text) as Partial<StoredLane>;
  if (!Number.isSafeInteger(value.fence)) throw new TypeError('no fence');
  return {
    lane,
    fence: value.fence as number,
    route: value.route === null ? null : parseLaneRoute(value.route, lane),
    port: Number.isInteger(value.port) ? (value.port as number) : null,
  };
}
