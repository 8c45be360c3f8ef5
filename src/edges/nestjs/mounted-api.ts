import type { HttpAdapterHost } from "@nestjs/core";
import type { Application } from "../../core/job/application.ts";
import type { Environment } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { Handler } from "../http/mount/create-handler.ts";

type Node = Handler["node"];

/** API, console and reference, below a path of the application's own server. */
export class HoldfastApi {
  readonly #prefix: string | undefined;
  readonly #host: HttpAdapterHost;
  #server: object | undefined;
  #handler: Handler | undefined;

  /** @param prefix undefined: it is not mounted */
  constructor(prefix: string | undefined, host: HttpAdapterHost) {
    this.#prefix = prefix;
    this.#host = host;
    this.#putInPlace();
  }

  /** A testing module gets its server only now. */
  onModuleInit(): void {
    this.#putInPlace();
  }

  /** @throws HoldfastError as `createHandler` */
  async open(application: Application, env: Environment | undefined, logger: Logger): Promise<void> {
    if (this.#server === undefined || this.#prefix === undefined) return;
    const { createHandler } = await import("../http/mount/create-handler.ts");
    this.#handler = await createHandler(application, {
      prefix: this.#prefix,
      logger,
      ...(env && { env }),
    });
  }

  /** Ends event streams, which the server would wait for. */
  async stop(): Promise<void> {
    await this.#handler?.stop();
  }

  beforeApplicationShutdown(): Promise<void> {
    return this.stop();
  }

  /** Before Nest adds its body parser: Holdfast reads bodies itself. */
  #putInPlace(): void {
    const { httpAdapter: adapter } = this.#host;
    if (this.#prefix === undefined || !adapter || this.#server === adapter) return;
    this.#server = adapter;
    const serve = (...[request, response, next]: Required<Parameters<Node>>) =>
      this.#handler === undefined ? next() : this.#handler.node(request, response, next);
    adapter.use(serve);
  }
}
