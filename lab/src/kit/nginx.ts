import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePorts } from './free-ports.ts';
import { call } from './http.ts';
import { localhostTls } from './localhost-certificate.ts';
import { until } from './until.ts';

const run = promisify(execFile);
/** Where Debian's package has it. */
const program = '/usr/sbin/nginx';

/** Offers HTTP/2 and HTTP/1.1 over TLS; without an upstream it answers with a page of its own. */
const configuration = (ports: { tls: number; plain: number }, upstream: string) => `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr error;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${ports.plain};
    listen 127.0.0.1:${ports.tls} ssl http2;
    ssl_certificate ${localhostTls.TLS_CERT_FILE};
    ssl_certificate_key ${localhostTls.TLS_KEY_FILE};
    location = /front { return 204; }
    location / { ${upstream === '' ? 'return 404;' : `proxy_pass ${upstream};`} }
  }
}
`;

export type Nginx = {
  /** https://127.0.0.1:port */
  readonly url: string;
  /** Reads its configuration again, as ingresses do at each change: new workers, old ones drain. */
  reload(): Promise<void>;
  /** From now on it passes everything to this address; empty: to nobody, 404 with a page. */
  passTo(upstream: string): Promise<void>;
};

/**
 * Debian's nginx before a service, over TLS with the localhost certificate; ended after the test.
 * Undefined, and the test is left out loudly, where it is not installed; an error with
 * REQUIRE_NGINX=1.
 */
export async function startNginx(t: TestContext, upstream: string): Promise<Nginx | undefined> {
  if (!existsSync(program)) {
    const said = 'needs nginx (Debian: apt-get install nginx-light)';
    if (process.env.REQUIRE_NGINX === '1') throw new Error(said);
    t.skip(said);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), 'orders-nginx-'));
  const file = join(directory, 'nginx.conf');
  const [tls = 0, plain = 0] = await freePorts(2);
  await writeFile(file, configuration({ tls, plain }, upstream));
  const flags = ['-p', directory, '-e', 'stderr', '-c', file];
  const child = spawn(program, flags, { stdio: 'inherit' });
  const exited = once(child, 'exit');
  const end = () => void child.kill('SIGTERM');
  process.once('exit', end);
  t.after(async () => {
    end();
    await exited;
    process.off('exit', end);
    await rm(directory, { recursive: true, force: true });
  });
  const answers = async (path: string) =>
    (await call('GET', `http://127.0.0.1:${plain}${path}`)).status;
  await until('nginx', 10, async () => (await answers('/front')) === 204);
  const reload = async () => {
    await run(program, [...flags, '-s', 'reload']);
  };
  return {
    url: `https://127.0.0.1:${tls}`,
    reload,
    async passTo(next) {
      await writeFile(file, configuration({ tls, plain }, next));
      await reload();
      const isPassed = (status: number) => (status === 200) === (next !== '');
      await until('the new configuration', 10, async () =>
        isPassed(await answers('/health/ready')),
      );
    },
  };
}
