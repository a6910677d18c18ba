import type { CommandSpec } from '../spec.ts';
import { ARTIFACT, ENTRY, LEDGER_REPORT, WHY } from './fields.ts';

export const PROVE: readonly CommandSpec[] = [
  {
    path: 'why',
    group: 'Prove',
    summary: 'From running bytes back to the commit, with decisions',
    args: [
      {
        name: 'subject',
        about: 'service/environment, a digest, an id, or an address',
        names: 'lane-or-rollout',
      },
    ],
    examples: [
      ['slipway why shop/prod', 'what runs there, and why'],
      ['slipway why http://127.0.0.1:8080/', 'what answers there'],
      ['slipway why sha256:9f…', 'one artifact'],
    ],
    fields: WHY,
    connects: true,
    load: async () => (await import('../commands/why.ts')).why,
  },
  {
    path: 'verify',
    group: 'Prove',
    summary: 'Verify the evidence of an artifact now',
    about:
      'The server judges every signature again and says what it found. Exit code 5 when there is no evidence, or some that does not verify.',
    args: [
      { name: 'digest', about: 'a digest (12 digits do), or service/environment', names: 'lane-or-rollout' },
    ],
    examples: [
      ['slipway verify sha256:9f…', 'signatures, SBOM, provenance, tests'],
      ['slipway verify shop/prod', 'of what runs there'],
      ['slipway verify shop/prod --jq .evidence[].kind', 'which kinds there are'],
    ],
    fields: [...ARTIFACT, 'verified'],
    connects: true,
    load: async () => (await import('../commands/verify.ts')).verify,
  },
  {
    path: 'ledger verify',
    group: 'Prove',
    summary: 'Verify the log and all artifacts; or one entry, here',
    about:
      'Without an index the server reads everything and names each changed byte, and the signed head is checked here. With an index the proof, the signed checkpoint and the key are fetched and checked in this program: the word of the server is not taken. Give the key with --key, or it is the one the server shows.',
    args: [{ name: 'index', about: 'an entry', optional: true }],
    options: [
      { flag: '--key <file>', about: "the log's public key (PEM), got another way" },
      { flag: '--since <file>', about: 'a checkpoint kept before: nothing since may be undone' },
    ],
    examples: [
      ['slipway ledger verify', 'everything'],
      ['slipway ledger verify 42 --key log.pem', 'one entry, trusting only that key'],
      ['slipway ledger verify --since head.txt', 'append-only since then?'],
    ],
    fields: [...LEDGER_REPORT, 'index', 'leafHash', 'signedAt', 'origin', 'keyId', 'entry', 'checks'],
    connects: true,
    load: async () => (await import('../commands/ledger-verify.ts')).verify,
  },
  {
    path: 'ledger log',
    group: 'Prove',
    summary: 'Ledger entries, newest first',
    options: [
      { flag: '--service <name>', about: 'of one service', names: 'service' },
      { flag: '--environment <name>', about: 'of one environment', names: 'environment' },
      { flag: '--kind <kind>', about: 'such as rollout.ended' },
      { flag: '--subject <id>', about: 'about one id or digest' },
      { flag: '--limit <n>', about: 'at most this many (default: 30)' },
      { flag: '--from <index>', about: 'from this entry onwards, oldest first' },
    ],
    examples: [
      ['slipway ledger log --service shop --environment prod', 'what happened there'],
      ['slipway ledger log --kind gate.decided --limit 5', 'the last decisions'],
      ['slipway ledger log --from 0 --limit 1000 --json', 'from the beginning'],
    ],
    fields: ENTRY,
    connects: true,
    load: async () => (await import('../commands/ledger.ts')).log,
  },
  {
    path: 'ledger show',
    group: 'Prove',
    summary: 'One ledger entry',
    args: [{ name: 'index', about: 'the entry' }],
    examples: [
      ['slipway ledger show 42', ''],
      ['slipway ledger show 42 --json=body', 'what was recorded'],
    ],
    fields: ENTRY,
    connects: true,
    load: async () => (await import('../commands/ledger.ts')).show,
  },
  {
    path: 'ledger checkpoint',
    group: 'Prove',
    summary: 'The signed head of the log, to keep and compare later',
    examples: [['slipway ledger checkpoint > head.txt', 'then: slipway ledger verify --since head.txt']],
    fields: ['origin', 'size', 'root', 'note'],
    connects: true,
    load: async () => (await import('../commands/ledger.ts')).checkpoint,
  },
];
