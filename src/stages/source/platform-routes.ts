import { z } from 'zod';
import { type Route, route } from '../../platform/http/route.ts';
import type { SourceDeps } from './deps.ts';
import { applyPlatform, checkPlatformFiles, currentPlatform } from './platform.ts';

const MAX_PLATFORM_BYTES = 4_194_304;

const files = z
  .record(z.string().max(200), z.string())
  .describe('The YAML documents of the platform folder, by path');

const diagnostic = z.object({
  path: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  position: z.object({ file: z.string(), line: z.int(), column: z.int() }).optional(),
});

export function platformRoutes(deps: SourceDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/platform',
      operationId: 'getPlatform',
      summary: 'The platform as it is: documents as applied, and what they resolve to',
      tag: 'platform',
      access: { verb: 'read' },
      response: z.object({
        digest: z.string(),
        builtin: z.boolean(),
        commit: z.string().nullable(),
        appliedBy: z.string().nullable(),
        appliedAt: z.string().nullable(),
        files: z.record(z.string(), z.string()),
        config: z.unknown().describe('Environments, strategies, policies and access, with units resolved'),
      }),
      async handle() {
        const platform = await currentPlatform(deps.database);
        return {
          digest: platform.digest,
          builtin: platform.applied === null,
          commit: platform.commit,
          appliedBy: platform.applied?.by ?? null,
          appliedAt: platform.applied ? new Date(platform.applied.atMs).toISOString() : null,
          files: platform.files,
          config: platform.config,
        };
      },
    }),
    route({
      method: 'POST',
      path: '/v1/platform',
      operationId: 'applyPlatform',
      summary: 'Apply a platform folder, if it parses and its policy tests pass',
      tag: 'platform',
      access: { verb: 'configure' },
      body: z.strictObject({ files, commit: z.string().nullable().default(null) }),
      response: z.object({ digest: z.string(), changed: z.boolean() }),
      bodyLimit: MAX_PLATFORM_BYTES,
      handle: (context, { body }) => applyPlatform(deps, { ...body, actor: context.principal.actor }),
    }),
    route({
      method: 'POST',
      path: '/v1/platform/validate',
      operationId: 'validatePlatform',
      summary: 'Say what is wrong with a platform folder, without applying it',
      tag: 'platform',
      access: { verb: 'read' },
      body: z.strictObject({ files }),
      response: z.object({ valid: z.boolean(), diagnostics: z.array(diagnostic) }),
      bodyLimit: MAX_PLATFORM_BYTES,
      async handle(_, { body }) {
        const { diagnostics } = await checkPlatformFiles(deps, body.files);
        return { valid: diagnostics.length === 0, diagnostics: [...diagnostics] };
      },
    }),
  ];
}
