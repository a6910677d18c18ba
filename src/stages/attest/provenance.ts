import { digestHex, sha256 } from '../../kernel/digest.ts';
import type { AttestationInput, Material } from './input.ts';
import { withoutCredentials } from './urls.ts';

/** A build of a service by its slipway.yaml. */
export const BUILD_TYPE = 'https://slipway.dev/build-types/service/v1';

/** SLSA provenance v1 (slsa.dev/spec/v1.1/provenance). `builderId` is a URI that names this installation. */
export function provenancePredicate(input: AttestationInput, builderId: string): Record<string, unknown> {
  const source = `git+${withoutCredentials(input.repositoryUrl)}`;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: {
        service: input.service,
        repository: withoutCredentials(input.repositoryUrl),
        commit: input.commitSha,
        config: input.configDigest,
      },
      internalParameters: { sandbox: input.sandbox, toolchain: input.toolchain },
      resolvedDependencies: [
        { name: 'source', uri: `${source}@${input.commitSha}`, digest: { gitCommit: input.commitSha } },
        ...input.lockfiles.map((file) => ({
          name: file.path,
          uri: `${source}@${input.commitSha}#${file.path}`,
          digest: { sha256: digestHex(sha256(file.bytes)) },
        })),
        ...input.materials.map(descriptor),
        ...Object.entries(input.toolchain)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, version]) => ({
            name,
            uri: `pkg:generic/${encodeURIComponent(name)}@${encodeURIComponent(version)}`,
          })),
      ],
    },
    runDetails: {
      builder: { id: builderId },
      metadata: {
        invocationId: input.buildId,
        startedOn: new Date(input.startedAtMs).toISOString(),
        finishedOn: new Date(input.finishedAtMs).toISOString(),
      },
      byproducts: [{ name: 'cache', annotations: { hits: input.cacheHits } }],
    },
  };
}

function descriptor({ uri, name, digest }: Material): Record<string, unknown> {
  return { ...(name === undefined ? {} : { name }), uri: withoutCredentials(uri), digest };
}
