import type { PlatformConfig, ServiceConfig } from '../../kernel/config.ts';
import type { Diagnostic } from '../../kernel/errors.ts';
import { checkDocument, inFileOrder } from './diagnose.ts';
import { checkService } from './service-check.ts';
import { resolveService, serviceSchema } from './service-schema.ts';
import { readYaml } from './yaml.ts';

export interface ParsedService {
  /** null iff there are diagnostics. */
  config: ServiceConfig | null;
  diagnostics: Diagnostic[];
  /** Which new commits become releases. */
  releases: 'latest' | 'every';
}

/**
 * Reads a `slipway.yaml`. Never throws: whatever is wrong comes back as diagnostics with file, line and column. With a
 * platform, names of environments and strategies are checked against it too.
 */
export function parseServiceConfig(
  file: string,
  content: string | Uint8Array,
  platform?: PlatformConfig,
): ParsedService {
  const failed = (diagnostics: Diagnostic[]): ParsedService => ({
    config: null,
    diagnostics,
    releases: 'latest',
  });
  const { documents, diagnostics } = readYaml(file, content);
  if (diagnostics.length > 0) return failed(diagnostics);
  const [document, second] = documents;
  if (!document) {
    const hint = '"slipway init" writes a first one.';
    return failed([
      { path: file, message: 'the file is empty', hint, position: { file, line: 1, column: 1 } },
    ]);
  }
  if (second) {
    const hint =
      'A repository describes one service; environments and policies belong to the platform folder.';
    return failed([{ path: file, message: 'expected one document', hint, position: second.locate([]) }]);
  }
  const checked = checkDocument(serviceSchema, document);
  if ('diagnostics' in checked) return failed(checked.diagnostics);
  const problems = inFileOrder(checkService(checked.value, document, platform));
  if (problems.length > 0) return failed(problems);
  return { config: resolveService(checked.value), diagnostics: [], releases: checked.value.releases };
}
