import {
  type Binding,
  type Block,
  type LuaStatement,
  type LuaSyntax,
  readSyntax,
  type Token,
} from "./lua-syntax.ts";

interface PlacedFunction {
  readonly statement: LuaStatement;
  readonly binding: Binding;
  /** Where it is made; undefined for nowhere: nothing calls it. */
  block: Block | undefined;
  /** Whether one run of the script may call it more than once, as far as can be seen. */
  isRepeated: boolean;
}

/**
 * Moves each function of a script into the block that alone calls it, and leaves out what nothing calls. Each run of a script makes its functions
 * anew, at 0.1 to 0.2 µs each: BullMQ's `moveToFinished` has 41, of which a job's completion calls a third (row `work`). What a block makes that
 * runs more than once stays outside of it.
 */
export function placeFunctions(script: string): string {
  const [head = ""] = /^#!.*\n/.exec(script) ?? [];
  return head + new Placing(readSyntax("", script.slice(head.length))).text();
}

class Placing {
  readonly #syntax: LuaSyntax;
  readonly #functions: readonly PlacedFunction[];
  /** The functions, by their blocks. */
  readonly #byBlock = new Map<Block, PlacedFunction>();
  readonly #uses = new Map<Binding, number[]>();
  /** Those that are not made where they stand, by their first tokens; and by the token behind which they are made. */
  readonly #moved = new Map<number, PlacedFunction>();
  readonly #made = new Map<number, PlacedFunction[]>();

  constructor(syntax: LuaSyntax) {
    this.#syntax = syntax;
    const root = syntax.tokens[0]?.block;
    const isFile = (block: Block | undefined) => block?.kind === "file";
    this.#functions = syntax.statements
      .filter(({ kind }) => kind === "function")
      .flatMap((statement) => {
        const { first, end } = statement;
        const name = syntax.tokens.slice(first, end).find(({ isDeclaration }) => isDeclaration);
        return name?.binding === undefined
          ? []
          : [{ statement, binding: name.binding, block: root, isRepeated: false }];
      });
    syntax.tokens.forEach(({ binding }, at) => {
      if (binding === undefined) return;
      const uses = this.#uses.get(binding);
      if (uses === undefined) this.#uses.set(binding, [at]);
      else uses.push(at);
    });
    for (const each of this.#functions) {
      const inner = syntax.tokens
        .slice(each.statement.first, each.statement.end)
        .find(({ block }) => !isFile(block));
      if (inner !== undefined) this.#byBlock.set(inner.block, each);
    }
    // What calls a function comes behind it: where that is made is known by then.
    for (const each of [...this.#functions].reverse()) this.#place(each);
  }

  #place(placed: PlacedFunction): void {
    const { first, end } = placed.statement;
    const uses = (this.#uses.get(placed.binding) ?? []).filter((at) => at < first || at >= end);
    // What nothing calls calls nothing.
    const chains = uses
      .map((at) => this.#chain(this.#syntax.tokens[at]?.block))
      .filter(([outermost]) => outermost?.kind === "file");
    const once = chains.map((chain) => chain.slice(0, this.#repeatsAt(chain)));
    const isCalled = (at: number) => this.#syntax.tokens[at + 1]?.text === "(";
    placed.isRepeated =
      uses.length !== 1 ||
      !uses.every(isCalled) ||
      once.some((chain, at) => chain.length < (chains[at]?.length ?? 0));
    const shared = once.reduce((one, other) => one.slice(0, firstDifference(one, other)), once[0] ?? []);
    const outside = this.#outsideNames(placed);
    const hiddenAt = shared.findIndex(
      ({ names, kind }) => kind !== "file" && [...names.keys()].some((name) => outside.has(name)),
    );
    placed.block = shared[(hiddenAt < 0 ? shared.length : hiddenAt) - 1];
  }

  /** The blocks around a place, the file first, as functions are placed by now. */
  #chain(from: Block | undefined): Block[] {
    const chain: Block[] = [];
    for (let block = from; block !== undefined; ) {
      chain.unshift(block);
      const placed = this.#byBlock.get(block);
      block = placed === undefined ? block.parent : placed.block;
    }
    return chain;
  }

  /** The first block, if any, that may run more than once. */
  #repeatsAt(chain: readonly Block[]): number {
    const at = chain.findIndex((block) => {
      if (block.kind === "function") return this.#byBlock.get(block)?.isRepeated ?? true;
      return block.kind === "loop";
    });
    return at < 0 ? chain.length : at;
  }

  /** What it uses from outside: in a block that declares one of these it would use another. */
  #outsideNames({ statement: { first, end } }: PlacedFunction): ReadonlySet<string> {
    const tokens = this.#syntax.tokens.slice(first, end);
    const isOutside = ({ isVariable, binding }: Token) =>
      isVariable === true && (binding === undefined || binding.isTop);
    return new Set(tokens.filter(isOutside).map(({ text }) => text));
  }

  text(): string {
    const { source, tokens } = this.#syntax;
    for (const each of this.#functions) {
      if (each.block?.kind === "file") continue;
      this.#moved.set(each.statement.first, each);
      const { openedAt } = each.block ?? {};
      if (openedAt !== undefined) this.#made.set(openedAt, [...(this.#made.get(openedAt) ?? []), each]);
    }
    return this.#textBetween(0, tokens.length, 0) + source.slice(endOf(tokens.at(-1)));
  }

  /**
   * The tokens from one to before another, without the functions that are made elsewhere, and with those that are made there.
   *
   * @param firstMoved from which token on functions are left out: the first one may be what is asked for
   */
  #textBetween(from: number, end: number, firstMoved = from + 1): string {
    const { source, tokens } = this.#syntax;
    let text = "";
    let copied = firstMoved === 0 ? 0 : (tokens[from]?.at ?? 0);
    const copyTo = (position: number) => {
      text += source.slice(copied, position);
      copied = position;
    };
    for (let at = from; at < end; at++) {
      const moved = at < firstMoved ? undefined : this.#moved.get(at);
      if (moved !== undefined) {
        copyTo(tokens[at]?.at ?? 0);
        at = moved.statement.end - 1;
        copied = endOf(tokens[at]);
        continue;
      }
      const made = this.#made.get(at);
      if (made === undefined) continue;
      copyTo(endOf(tokens[at]));
      for (const { statement } of made) text += `\n${this.#textBetween(statement.first, statement.end)}`;
      text += "\n";
    }
    copyTo(endOf(tokens[end - 1]));
    return text;
  }
}

function endOf(token: Token | undefined): number {
  return token === undefined ? 0 : token.at + token.text.length;
}

function firstDifference(one: readonly Block[], other: readonly Block[]): number {
  const at = one.findIndex((block, index) => block !== other[index]);
  return at < 0 ? one.length : at;
}
