import { execFile, type SpawnOptions } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
const probeTimeoutMs = 10_000;

/**
 * How to run PostgreSQL's programs, which refuse to run as root. The started process is the program
 * itself: its pid can be signalled.
 */
export type Launcher = {
  command(
    program: string,
    args: string[],
  ): { program: string; args: string[]; options: Pick<SpawnOptions, 'uid' | 'gid'> };
  /** Makes the path, with all below it if `deep`, belong to the user that the programs run as. */
  own(path: string, deep?: boolean): Promise<void>;
};

/** What a child needs of our environment; the services' secrets are not among it. */
export const launchEnvironment = { PATH: process.env.PATH ?? '/usr/bin:/bin', LC_ALL: 'C' };

const plain: Launcher = {
  command: (program, args) => ({ program, args, options: {} }),
  own: async () => undefined,
};

/**
 * Another uid inside than outside: the files stay ours, so it does not matter which directories the
 * data lies below.
 */
function inUserNamespace(inside: { uid: number; gid: number }): Launcher {
  const map = ['--user', `--map-user=${inside.uid}`, `--map-group=${inside.gid}`, '--'];
  return {
    command: (program, args) => ({
      program: 'unshare',
      args: [...map, program, ...args],
      options: {},
    }),
    own: (path, deep) => changeOwner(path, process.getuid?.() ?? 0, process.getgid?.() ?? 0, deep),
  };
}

function asUser(uid: number, gid: number): Launcher {
  return {
    command: (program, args) => ({ program, args, options: { uid, gid } }),
    own: (path, deep) => changeOwner(path, uid, gid, deep),
  };
}

/**
 * Chooses the way that works here: directly where we are an ordinary user; else (root, or a uid
 * without a name, which initdb refuses too) in a user namespace; else, as root only, as the user
 * `postgres`, who then owns the data directory. The namespace is not to be had where there is no
 * `unshare` of util-linux or it is forbidden, as in Docker by default.
 * @throws Error saying what to do where none works
 */
export async function chooseLauncher(program: string, dataDir: string): Promise<Launcher> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && hasName()) return plain;
  const refusals: string[] = [];
  for (const find of isRoot ? [userNamespace, postgresUser] : [userNamespace]) {
    const launcher = await find();
    const refusal =
      typeof launcher === 'string' ? launcher : await refusalOf(launcher, program, dataDir);
    if (typeof launcher !== 'string' && refusal === undefined) return launcher;
    refusals.push(
      `${find === userNamespace ? 'in a user namespace' : 'as user postgres'}: ${refusal}`,
    );
  }
  throw new Error(
    `embedded PostgreSQL cannot run as ${isRoot ? 'root' : 'a user without a name'} here (${refusals.join('; ')}). Run this program as ` +
      `an ordinary user; or, as root, create a user "postgres" who can reach ${dataDir} and ${program}; or set ` +
      'ORDERS_DATABASE_URL and FULFILLMENT_DATABASE_URL to a PostgreSQL server of your own.',
  );
}

function hasName(): boolean {
  try {
    return userInfo().username !== '';
  } catch {
    return false; // that is how it says that the uid is not in the user database
  }
}

async function userNamespace(): Promise<Launcher | string> {
  if (process.platform !== 'linux') return 'only on Linux';
  const entries = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .map((line) => line.split(':'));
  // Any user but root will do, as long as initdb finds a name for it.
  const entry = entries.find(([name, , uid]) => name && uid && /^[1-9]\d*$/.test(uid));
  return entry
    ? inUserNamespace({ uid: Number(entry[2]), gid: Number(entry[3]) })
    : 'no user but root in /etc/passwd';
}

async function postgresUser(): Promise<Launcher | string> {
  try {
    const ids = ['-u', '-g'].map((flag) =>
      run('id', [flag, 'postgres'], { timeout: probeTimeoutMs }),
    );
    const [uid, gid] = await Promise.all(ids);
    return asUser(Number(uid?.stdout), Number(gid?.stdout));
  } catch (error) {
    return (error as Error).message;
  }
}

/** Undefined when the launcher can run the program and write in the directory, else why not. */
async function refusalOf(
  launcher: Launcher,
  program: string,
  dataDir: string,
): Promise<string | undefined> {
  const script =
    'test -x "$1" || { echo "cannot reach $1" >&2; exit 1; }; test -w "$2" || { echo "cannot write in $2" >&2; exit 1; }';
  const {
    program: file,
    args,
    options,
  } = launcher.command('/bin/sh', ['-c', script, 'sh', program, dataDir]);
  try {
    await launcher.own(dataDir);
    await run(file, args, {
      ...options,
      cwd: '/',
      env: launchEnvironment,
      timeout: probeTimeoutMs,
    });
    return undefined;
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    return stderr.trim() || message;
  }
}

async function changeOwner(path: string, uid: number, gid: number, deep = false): Promise<void> {
  if ((await stat(path)).uid === uid) return;
  await run('chown', [...(deep ? ['-R'] : []), `${uid}:${gid}`, path], { timeout: 60_000 });
}
