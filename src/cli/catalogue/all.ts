import type { CommandSpec } from '../spec.ts';
import { DELIVER } from './deliver.ts';
import { MANAGE } from './manage.ts';
import { PROVE } from './prove.ts';
import { START } from './start.ts';
import { STEER } from './steer.ts';

/** Every command there is, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [...START, ...DELIVER, ...STEER, ...PROVE, ...MANAGE];
