import { type Logger, pino } from 'pino';

export type { Logger };

/** JSON lines on stderr. Fields that may hold a secret are cut out wherever they stand. */
export function createLogger(component: string, level = process.env.SLIPWAY_LOG ?? 'info'): Logger {
  return pino(
    {
      level,
      base: { component, pid: process.pid },
      serializers: { error: pino.stdSerializers.err },
      redact: {
        paths: [
          '*.authorization',
          '*.token',
          '*.password',
          '*.secret',
          'authorization',
          'token',
          'password',
          'secret',
        ],
        censor: '***',
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
