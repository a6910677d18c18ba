import { runDemo } from './lib/demo/run.ts';

const once = process.argv.includes('--once');
const unknown = process.argv.slice(2).find((argument) => argument !== '--once');
if (unknown !== undefined) {
  process.stderr.write(
    `usage: script/demo [--once]\n  --once   end by itself; exit 0 only if everything went as described\n`,
  );
  process.exit(unknown === '--help' || unknown === '-h' ? 0 : 2);
}
process.exitCode = await runDemo({ once });
