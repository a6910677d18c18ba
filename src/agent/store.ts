import { mkdir, readdir, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../kernel/errors.ts';
import { removeDurably, writeDurably } from './durable.ts';
import { LIMITS } from './limits.ts';
import type { InstanceRecord } from './record.ts';

/** The agent's memory: one JSON file an instance, one file of the highest fence seen by lane. */
export interface AgentStore {
  load(): Promise<{ records: InstanceRecord[]; fences: Map<string, number> }>;
  save(record: InstanceRecord): Promise<void>;
  remove(id: string): Promise<void>;
  saveFences(fences: ReadonlyMap<string, number>): Promise<void>;
}

interface Envelope {
  version: 1;
  record: InstanceRecord;
}

export function openStore(hostDirectory: string): AgentStore {
  const directory = join(hostDirectory, 'instances');
  const fencesPath = join(hostDirectory, 'fences.json');
  const fileOf = (id: string) => join(directory, `${id}.json`);
  return {
    async load() {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const records: InstanceRecord[] = [];
      for (const name of await readdir(directory)) {
        // What a crash left of a write that never counted.
        if (name.endsWith('.tmp')) await unlink(join(directory, name)).catch(() => {});
        if (!name.endsWith('.json')) continue;
        records.push(parseRecord(await readFile(join(directory, name), 'utf8'), name));
      }
      return { records, fences: await loadFences(fencesPath) };
    },
    async save(record) {
      const envelope: Envelope = { version: 1, record };
      await writeDurably(fileOf(record.spec.id), JSON.stringify(envelope));
    },
    remove: (id) => removeDurably(fileOf(id)),
    saveFences: (fences) =>
      writeDurably(fencesPath, JSON.stringify({ version: 1, fences: Object.fromEntries(fences) })),
  };
}

function parseRecord(text: string, name: string): InstanceRecord {
  try {
    const { version, record } = JSON.parse(text) as Partial<Envelope>;
    if (version === 1 && record !== undefined && `${record.spec.id}.json` === name) return record;
  } catch {
    // Falls through to the refusal below.
  }
  // Going on without it could start a second copy of what it describes.
  throw new SlipwayError('tampered', `The agent's record ${JSON.stringify(name)} cannot be read`, {
    hint: `Restore host/instances/${name} from a backup, or stop that instance's process and delete the file.`,
  });
}

async function loadFences(path: string): Promise<Map<string, number>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return new Map();
    throw error;
  }
  try {
    const { fences } = JSON.parse(text) as { fences: Record<string, number> };
    const entries = Object.entries(fences);
    if (entries.length <= LIMITS.lanes && entries.every(([, fence]) => Number.isSafeInteger(fence)))
      return new Map(entries);
  } catch {
    // Falls through to the refusal below.
  }
  throw new SlipwayError('tampered', "The agent's fences.json cannot be read", {
    hint: 'Restore host/fences.json from a backup: without it a stale order could be obeyed.',
  });
}
