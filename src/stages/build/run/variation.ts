/** The surroundings of a build that must not matter. Release builds always use `STANDARD`. */
export interface Variation {
  /** Names the work directory, so it is part of the path where the sandbox cannot hide it. */
  name: string;
  source: string;
  home: string;
  hostname: string;
  timezone: string;
  locale: string;
  umask: string;
  /** CPU numbers; null: all. */
  cpus: readonly number[] | null;
  /** Files are made in the opposite order, which changes the order in which directories list them. */
  reversed: boolean;
}

export const STANDARD: Variation = {
  name: 'build',
  source: '/build/source',
  home: '/home/build',
  hostname: 'build',
  timezone: 'UTC',
  locale: 'C.UTF-8',
  umask: '022',
  cpus: null,
  reversed: false,
};
