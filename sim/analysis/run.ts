import { FIGURES } from './figures.ts';
import { JUDGES, type Measured, measure, within } from './measure.ts';

/**
 * `node sim/analysis/run.ts [--quick] [--seed N]`: the figures of the canary analysis and, on the same traffic, of how others
 * decide. Exit 1 when a figure of Slipway is outside its bound.
 */
const args = process.argv.slice(2);
const quick = args.includes('--quick');
const seedAt = args.indexOf('--seed');
const seed = seedAt >= 0 ? Number(args[seedAt + 1]) : 1;
const runs = quick ? 200 : 2000;
/** The peers need no more runs than their figures have digits. */
const peerRuns = quick ? 50 : 300;

const names = Object.keys(JUDGES);
const cell = ({ rolledBack, medianS }: Measured, isWorse: boolean) =>
  isWorse
    ? `${medianS === null ? 'never' : `${medianS} s`} (${Math.round(rolledBack * 100)} %)`
    : `${(rolledBack * 100).toFixed(1)} %`;

console.log(
  `30 minutes, 20 instances, 5 % canary, alpha .05; ${runs} runs (${peerRuns} of the others), seed ${seed}`,
);
console.log(
  'false rollbacks in %; for a worse version the median time to the rollback (and the share rolled back)\n',
);
console.log(['| scenario | bound', ...names].join(' | '), '|');
console.log(`|${' --- |'.repeat(names.length + 2)}`);
let broken = 0;
for (const figure of FIGURES) {
  const { scenario, falseAlarms, medianS } = figure;
  const isWorse = medianS !== undefined;
  const cells = names.map((name, i) => {
    if (i > 0 && scenario.metric !== 'errors' && !name.startsWith('Kayenta')) return '';
    const count = i === 0 ? runs : peerRuns;
    const measured = measure(JUDGES[name] as (typeof JUDGES)[string], scenario, count, seed);
    if (i > 0) return cell(measured, isWorse);
    const kept = within(figure, measured, count);
    if (!kept) broken++;
    return `${cell(measured, isWorse)}${kept ? '' : ' OUTSIDE'}`;
  });
  const bound = isWorse ? `<= ${medianS} s` : `<= ${((falseAlarms as number) * 100).toFixed(1)} %`;
  console.log(`| ${[scenario.name, bound, ...cells].join(' | ')} |`);
}
console.log(
  broken === 0 ? '\nall figures are within their bounds' : `\n${broken} figures are outside their bounds`,
);
process.exitCode = broken === 0 ? 0 : 1;
