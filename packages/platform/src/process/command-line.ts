import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A wrong word on the command line. The message is one sentence that names the word. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError';
}

type Options = NonNullable<ParseArgsConfig['options']>;
type Description<O extends Options> = {
  /** The text of `--help`, with a line feed at its end. */
  usage: string;
  options: O;
  /** Words without dashes are allowed. */
  allowPositionals?: boolean;
};
type Read<O extends Options> = ReturnType<
  typeof parseArgs<{ options: O; allowPositionals: true; strict: true }>
>;

/** The exit code of a command that was called with wrong words; 1 is for a claim that fails. */
const wrongCommandLine = 2;

/**
 * Runs a command and sets the exit code that `run` resolves to. `--help` and `-h` write the usage
 * and run nothing. A word that `options` do not know, and a CommandLineError of `run`, end with one
 * sentence and exit code 2. Rejects with every other error of `run`.
 */
export async function runCommand<const O extends Options>(
  { usage, options, allowPositionals = false }: Description<O>,
  run: (read: Read<O>) => Promise<number>,
): Promise<void> {
  const args = process.argv.slice(2);
  const separator = args.indexOf('--');
  const flags = separator < 0 ? args : args.slice(0, separator);
  if (flags.includes('--help') || flags.includes('-h')) {
    process.stdout.write(usage);
    return;
  }
  try {
    process.exitCode = await run(readArguments(args, options, allowPositionals));
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`${error.message} --help shows the options.\n`);
    process.exitCode = wrongCommandLine;
  }
}

/** @throws CommandLineError for a word that `options` do not know */
export function readArguments<const O extends Options>(
  args: string[],
  options: O,
  allowPositionals = false,
): Read<O> {
  try {
    return parseArgs({ args, options, allowPositionals, strict: true }) as Read<O>;
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (!code.startsWith('ERR_PARSE_ARGS')) throw error;
    // The sentences after the first are about dashes, which is seldom the mistake.
    const [sentence = message] = message.split(/\.\s/);
    throw new CommandLineError(`${sentence.replace(/\.$/, '')}.`);
  }
}

/** @throws CommandLineError unless the text is a number above 0, of `unit` where one is given */
export function positiveNumber(name: string, text: string, unit = ''): number {
  const value = Number(text);
  if (value > 0 && Number.isFinite(value)) return value;
  throw new CommandLineError(`--${name} ${text} is not a number${unit && ` of ${unit}`} above 0.`);
}

/** @throws CommandLineError unless the text is a whole number from `least` to 2,147,483,647 */
export function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value < 2 ** 31) return value;
  throw new CommandLineError(`--${name} ${text} is not a whole number from ${least}.`);
}
