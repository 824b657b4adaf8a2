import type { IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, unzipSync, zstdDecompressSync } from 'node:zlib';
import { codeOf, messageOf } from '@orders/platform/process/errors';
import { type Dispatcher, EnvHttpProxyAgent } from 'undici';
import type { Answer } from './provider-answer.ts';

export type ProviderCall = {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string | null;
};

/** Longer than a round trip to another continent for each step of a TLS handshake. */
const connectTimeoutMs = 4_000;
/** The next address of a name is tried after this; the default is shorter than some lines are. */
const nextAddressMs = 1_000;
const answerBytesMax = 256 * 1024;
const unpackedBytesMax = 1024 * 1024;
/** Errors of a TLS handshake that found a certificate which is not to be trusted (OpenSSL). */
const untrusted =
  /^(CERT_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/;

/**
 * Carries calls out over HTTP/1.1, each on a connection that no other call uses meanwhile: a
 * connection that has died silently costs one call, and HTTP/2 would put all calls on it. Goes
 * through HTTPS_PROXY except for NO_PROXY, as curl does.
 */
export function createProviderCaller(options: {
  origin: string;
  timeoutMs: number;
  connections: number;
}) {
  const { origin, timeoutMs } = options;
  const agent = new EnvHttpProxyAgent({
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    httpProxy: '',
    connect: {
      timeout: Math.min(connectTimeoutMs, timeoutMs),
      autoSelectFamily: true,
      autoSelectFamilyAttemptTimeout: nextAddressMs,
    },
    // The time-out of the call bounds it; these only free what it cannot reach.
    headersTimeout: timeoutMs * 2,
    bodyTimeout: timeoutMs * 2,
    keepAliveTimeout: 4_000,
  });

  return {
    /** Never rejects, and ends within `timeoutMs`. There is no retry in here. */
    call(request: ProviderCall): Promise<Answer> {
      return new Promise((resolve) => {
        const reader = createAnswerReader(finish);
        const timer = setTimeout(
          () => reader.giveUp(`no answer within ${timeoutMs} ms`),
          timeoutMs,
        );
        function finish(answer: Answer): void {
          clearTimeout(timer);
          resolve(answer);
        }
        try {
          agent.dispatch({ ...request, origin }, reader.handler);
        } catch (error) {
          reader.fail(error);
        }
      });
    },
    close: () => agent.destroy(),
  };
}

/**
 * Collects one answer, at most `answerBytesMax` of it, and calls `finish` once. It knows whether
 * the request has begun to leave: before, nothing can have reached the provider, whatever failed.
 */
function createAnswerReader(finish: (answer: Answer) => void) {
  let controller: Dispatcher.DispatchController | undefined;
  let head: { status: number; headers: IncomingHttpHeaders } | undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isOver = false;

  function end(answer: Answer): void {
    if (isOver) return;
    isOver = true;
    finish(answer);
  }
  function complete(): void {
    if (head !== undefined && !isOver) end(answerOf(head, Buffer.concat(chunks)));
  }
  function fail(error: unknown): void {
    const wasSent = controller !== undefined;
    const code = codeOf(error) ?? '';
    const message = messageOf(error);
    const text = message.includes(code) ? message : `${message} (${code})`;
    end({ error: text, wasSent, isUntrusted: !wasSent && untrusted.test(code) });
  }
  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      // Given up while it waited for a connection: it must not leave any more.
      if (isOver) started.abort(new Error('given up'));
      else controller = started;
    },
    onResponseStart(_controller, status, headers) {
      if (status >= 200) head = { status, headers };
    },
    onResponseData(started, chunk) {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes < answerBytesMax) return;
      // The status says enough; the rest of such an answer is not read.
      complete();
      started.abort(new Error('answer too large'));
    },
    onResponseEnd: complete,
    onResponseError: (_controller, error) => fail(error),
  };
  return {
    handler,
    fail,
    giveUp(reason: string): void {
      end({ error: reason, wasSent: controller !== undefined, isUntrusted: false });
      controller?.abort(new Error(reason));
    },
  };
}

function answerOf(
  { status, headers }: { status: number; headers: IncomingHttpHeaders },
  body: Buffer,
): Answer {
  return {
    status,
    contentType: lastOf(headers['content-type']),
    text: new TextDecoder().decode(unpack(body, [headers['content-encoding'] ?? []].flat().join())),
    retryAfter: lastOf(headers['retry-after']),
  };
}

/** A field that is sent twice arrives as a list, though its type does not say so. */
function lastOf(field: string | string[] | undefined): string | undefined {
  return typeof field === 'object' ? field.at(-1) : field;
}

const bound = { maxOutputLength: unpackedBytesMax };
const unpackers: Record<string, (body: Buffer) => Buffer> = {
  gzip: (body) => unzipSync(body, bound),
  'x-gzip': (body) => unzipSync(body, bound),
  deflate: (body) => unzipSync(body, bound),
  br: (body) => brotliDecompressSync(body, bound),
  zstd: (body) => zstdDecompressSync(body, bound),
  identity: (body) => body,
};

/** An answer may be packed although nobody asked for it; what cannot be unpacked is unreadable. */
function unpack(body: Buffer, encodings: string): Buffer {
  if (encodings === '') return body;
  const names = encodings.toLowerCase().split(',').slice(-3);
  try {
    return names.reduceRight((packed, name) => {
      const unpacker = unpackers[name.trim()];
      if (unpacker === undefined) throw new Error(`content-encoding ${name} is not known`);
      return unpacker(packed);
    }, body);
  } catch {
    return Buffer.alloc(0);
  }
}
