import { z } from 'zod';
import type { ServiceConfig } from '../../kernel/config.ts';
import {
  absolutePath,
  byEnvironment,
  bytes,
  count,
  duration,
  environmentVariables,
  filledText,
  flag,
  header,
  list,
  MAX_ENTRIES,
  name,
  relativePath,
  text,
} from './fields.ts';

/** The YAML form of `slipway.yaml`, and how it becomes the kernel's `ServiceConfig`. */

const step = z
  .strictObject({
    name: name('Name of the step; other steps refer to it in "needs"'),
    run: filledText('Shell command, run with "sh -e" in the sandbox at the root of the source', 65_536),
    needs: list('Names of the steps that must have succeeded before', name('Name of a step')).default([]),
    network: flag('The step may reach the network; without it the step has none', false),
    inputs: list(
      'Globs below the source root whose content enters the cache key; empty: the whole source',
      relativePath('A glob such as src/**'),
    ).default([]),
    outputs: list(
      'Paths the step leaves for later steps and the image',
      relativePath('A path such as dist'),
    ).default([]),
    env: environmentVariables('Environment variables of the step; values are texts'),
    cache: flag('Reuse the outputs when nothing the step reads has changed', true),
    timeout: duration('The step is stopped after this long', { min: '1s', max: '6h', default: '10m' }),
    retries: count('How often a failed step is tried again', { min: 0, max: 5, default: 0 }),
    report: z
      .strictObject({
        format: z.enum(['junit', 'tap']).describe('Format of the report: junit or tap'),
        path: relativePath('Where the step writes the report'),
      })
      .describe('A test report the step writes; it becomes signed test evidence')
      .optional(),
  })
  .describe('One step of the build; steps that do not need each other run in parallel');

const layer = z
  .strictObject({
    name: name('Name of the layer').optional(),
    from: list(
      'Files and folders of the source root that the layer holds',
      relativePath('A path such as dist'),
    ).min(1, {
      error: 'expected at least one path',
    }),
    to: absolutePath('Folder in the image that receives them').default('/app'),
    exclude: list('Globs left out', relativePath('A glob such as **/*.test.js')).default([]),
  })
  .describe('One layer; put what changes seldom first, so that it is uploaded once');

const image = z
  .strictObject({
    base: z
      .string()
      .max(512)
      .regex(/^(?:scratch|[a-z0-9][a-z0-9._:/-]*@sha256:[0-9a-f]{64})$/, {
        error:
          'expected "scratch" or an image pinned by digest, such as base/node@sha256:…; a tag can change',
      })
      .describe('The image below the layers: scratch, or repository@sha256:… in the registry')
      .default('scratch'),
    layers: list('What the image holds, lowest layer first', layer, 100).min(1, {
      error: 'expected at least one layer',
    }),
    entrypoint: list('The program and its arguments, as a list', text('One word'), 100).min(1, {
      error: 'expected the program to start, such as [node, src/server.js]',
    }),
    command: list('Arguments after the entrypoint', text('One word'), 100).default([]),
    workdir: absolutePath('Working directory of the program').default('/app'),
    env: environmentVariables('Environment variables baked into the image; never secrets'),
    user: z
      .string()
      .regex(/^[a-z0-9_][a-z0-9_-]{0,31}(?::[a-z0-9_][a-z0-9_-]{0,31})?$/, {
        error: 'expected a user such as 65532:65532',
      })
      .describe('User and group the program runs as')
      .default('65532:65532'),
    ports: list('Ports the program listens on, as documentation', z.int().min(1).max(65_535), 50).default([]),
    labels: z
      .record(z.string().max(256), z.string().max(4096))
      .refine((value) => Object.keys(value).length <= MAX_ENTRIES, {
        error: `expected at most ${MAX_ENTRIES} labels`,
      })
      .describe('Image labels')
      .default({}),
    compression: z
      .enum(['gzip', 'zstd'])
      .describe('Compression of the layers: zstd is faster, gzip is read by very old clients')
      .default('zstd'),
  })
  .describe('The OCI image the build packs');

const readiness = z
  .strictObject({
    path: z
      .string()
      .max(1024)
      .regex(/^\/[^\s\0]*$/, { error: 'expected a path that begins with "/", such as /readyz' })
      .describe('HTTP path that answers 200 when the instance can take traffic')
      .default('/readyz'),
    period: duration('Time between two checks', { min: '50ms', max: '5m', default: '500ms' }),
    timeout: duration('A check without an answer by then has failed', {
      min: '50ms',
      max: '1m',
      default: '1s',
    }),
    failureThreshold: count('Failed checks in a row that make an instance unready', {
      min: 1,
      max: 100,
      default: 3,
    }),
  })
  .describe('How Slipway knows that an instance can take traffic')
  .prefault({});

const instances = z.int({ error: 'expected a whole number of instances' }).min(1).max(500);

const run = z
  .strictObject({
    env: environmentVariables('Environment variables of every instance; values are texts'),
    instances: z
      .union([instances, byEnvironment('Instances by environment; "default" for the rest', instances)])
      .describe('How many instances run: a number, or a number by environment')
      .default(2),
    readiness,
    startTimeout: duration('An instance that is not ready by then has failed', {
      min: '1s',
      max: '30m',
      default: '30s',
    }),
    stopGrace: duration('Time between SIGTERM and SIGKILL', { min: '0s', max: '10m', default: '10s' }),
    resources: z
      .strictObject({
        memory: bytes('Memory an instance may use', { min: '16Mi', max: '1Ti' }).optional(),
        openFiles: z
          .int()
          .min(64)
          .max(1_048_576)
          .describe('File descriptors an instance may open')
          .optional(),
      })
      .describe('Limits of one instance')
      .prefault({}),
    strategy: byEnvironment(
      'Strategy by environment, instead of the one the environment names',
      name('Name of a strategy'),
    ).default({}),
  })
  .describe('How instances run; each is told its port in PORT')
  .prefault({});

export const serviceSchema = z
  .strictObject({
    ...header('Service'),
    name: name('Name of the service; unique in this Slipway'),
    owner: filledText('Team or person who answers for the service', 200).default('unowned'),
    description: text('One sentence on what the service does', 1000).default(''),
    releases: z
      .enum(['latest', 'every'])
      .describe(
        'Which new commits of the branch become releases: the latest one seen, or every one, oldest first',
      )
      .default('latest'),
    build: z
      .strictObject({
        steps: list('Build steps; without any, the image is packed from the source as it is', step).default(
          [],
        ),
        image,
      })
      .describe('How a commit becomes an image'),
    run,
  })
  .describe('A service: how it is built and how it runs (slipway.yaml at the root of its repository)');

export type ServiceDocument = z.output<typeof serviceSchema>;

export function resolveService(document: ServiceDocument): ServiceConfig {
  const { build, run } = document;
  return {
    name: document.name,
    owner: document.owner,
    description: document.description,
    build: {
      steps: build.steps.map(({ timeout, report, ...rest }) => ({
        ...rest,
        env: { ...rest.env },
        timeoutS: timeout / 1000,
        report: report ?? null,
      })),
      image: {
        ...build.image,
        layers: build.image.layers.map((item, index) => ({
          ...item,
          name: item.name ?? `layer-${index + 1}`,
        })),
      },
    },
    run: {
      env: run.env,
      instances:
        typeof run.instances === 'number' ? { default: run.instances } : { default: 2, ...run.instances },
      readiness: {
        path: run.readiness.path,
        periodMs: run.readiness.period,
        timeoutMs: run.readiness.timeout,
        failureThreshold: run.readiness.failureThreshold,
      },
      startTimeoutMs: run.startTimeout,
      stopGraceMs: run.stopGrace,
      resources: { memoryBytes: run.resources.memory ?? null, openFiles: run.resources.openFiles ?? null },
      strategy: run.strategy,
    },
  } satisfies ServiceConfig;
}
