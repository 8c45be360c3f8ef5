import { NestFactory } from "@nestjs/core";
import { createHandler } from "holdfast/server";
import { AppModule } from "./app.module.js";
import { application } from "./jobs.js";

async function bootstrap() {
  const app = await NestFactory.create(AppModule);

  // #region mount
  // API, console and reference: before Nest adds its body parser, since Holdfast reads bodies itself.
  const jobs = await createHandler(application, { prefix: "/jobs-admin" });
  app.use(jobs.node);
  // #endregion

  // #region shutdown
  app.enableShutdownHooks();
  // #endregion
  await app.listen(process.env.PORT ?? 3000);
}

void bootstrap();
