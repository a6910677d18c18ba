import { EXIT } from '../errors.ts';
import type { Run } from '../spec.ts';

/** Goes up when a field of any JSON output changes its meaning or goes away; new fields do not count. */
export const JSON_VERSION = 1;

export const version: Run = async ({ local, output }) => {
  const value = await local.version();
  const facts = {
    version: value,
    jsonVersion: JSON_VERSION,
    apiVersion: 'v1',
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  await output.result(facts, `slipway ${value}`);
  return EXIT.ok;
};
