const LEVELS = { debug: 10, info: 20, warn: 30, error: 40 };

/** JSON lines on stdout. `base` stands on every line. */
export function createLog(
  base,
  level = process.env.LOG_LEVEL ?? 'info',
  write = (line) => process.stdout.write(line),
) {
  const least = LEVELS[level] ?? LEVELS.info;
  const at = (name) => (message, fields) => {
    if (LEVELS[name] < least) return;
    write(
      `${JSON.stringify({ time: new Date().toISOString(), level: name, ...base, message, ...fields })}\n`,
    );
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
