import type { ProjectFacts, StepFacts } from './facts.ts';

/** The first `slipway.yaml` of a project, with comments. Every text that comes from the project is quoted as needed. */
export function writeServiceYaml(facts: ProjectFacts): string {
  const lines = [
    '# How this service is built, tested, packed and run by Slipway.',
    '# yaml-language-server: $schema=https://slipway.dev/schemas/service.schema.json',
    'apiVersion: slipway.dev/v1',
    'kind: Service',
    `name: ${scalar(facts.name)}`,
    '# Who answers for it: a team or a person.',
    'owner: unowned',
  ];
  if (facts.description !== '') lines.push(`description: ${scalar(facts.description)}`);
  lines.push('', 'build:');
  if (facts.steps.length > 0) {
    lines.push(
      '  # Steps run in a sandbox, in parallel where "needs" allows, without network unless they ask for it.',
      '  steps:',
    );
    for (const step of facts.steps) lines.push(...stepLines(step));
  }
  lines.push(
    '  image:',
    '    # scratch, or repository@sha256:... of an image in the registry.',
    '    base: scratch',
    '    layers:',
  );
  for (const layer of facts.layers) {
    lines.push(
      `      # ${comment(layer.why)}`,
      `      - name: ${scalar(layer.name)}`,
      `        from: ${flow(layer.from)}`,
    );
  }
  lines.push(`    entrypoint: ${flow(facts.entrypoint)}`);
  if (facts.ports.length > 0) lines.push(`    ports: [${facts.ports.join(', ')}]`);
  lines.push(
    '',
    'run:',
    '  # Each instance is told its port in the variable PORT.',
    '  instances: 2',
    '  readiness:',
  );
  if (facts.readiness === null)
    lines.push('    # Change this to an endpoint that answers 200 when the instance can take traffic.');
  lines.push(
    `    path: ${scalar(facts.readiness ?? '/')}`,
    '  # Between SIGTERM and SIGKILL: finish the requests under way.',
    '  stopGrace: 10s',
  );
  lines.push('  resources:', '    memory: 512Mi');
  return `${lines.join('\n')}\n`;
}

function stepLines(step: StepFacts): string[] {
  const lines = [`    # ${comment(step.why)}`, `    - name: ${scalar(step.name)}`];
  const commands = step.run.split('\n');
  if (commands.length === 1) lines.push(`      run: ${scalar(step.run)}`);
  else lines.push('      run: |', ...commands.map((command) => `        ${command}`));
  if (step.needs && step.needs.length > 0) lines.push(`      needs: ${flow(step.needs)}`);
  if (step.network) lines.push('      network: true');
  if (step.inputs) lines.push(`      inputs: ${flow(step.inputs)}`);
  if (step.outputs) lines.push(`      outputs: ${flow(step.outputs)}`);
  if (step.report)
    lines.push(`      report: { format: ${step.report.format}, path: ${scalar(step.report.path)} }`);
  return lines;
}

function flow(items: readonly string[]): string {
  return `[${items.map(scalar).join(', ')}]`;
}

/** Words YAML would not read as texts. */
const NOT_TEXT = /^(?:true|false|null|~|[-+.]?\d.*|[-.]+|\.(?:inf|nan))$/i;

/** Plain where that is safe in block and flow, else in double quotes, whose escapes are those of JSON. */
function scalar(text: string): string {
  const plain =
    /^[A-Za-z0-9_./][A-Za-z0-9_./@+=$() -]*$/.test(text) && !text.endsWith(' ') && !NOT_TEXT.test(text);
  return plain ? text : JSON.stringify(text);
}

function comment(text: string): string {
  return text.replace(/\s+/g, ' ');
}
