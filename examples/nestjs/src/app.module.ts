import { Module } from "@nestjs/common";
import { APP_FILTER } from "@nestjs/core";
import { HoldfastModule } from "holdfast/nestjs";
import { HealthController } from "./health.controller.js";
import { application } from "./jobs.js";
import { Mailer } from "./mailer.js";
import { ProblemFilter } from "./problem.filter.js";
import { SignUpsController } from "./sign-ups.controller.js";
import { WelcomeMails } from "./welcome-mails.js";

@Module({
  // A worker in this process, unless others run the jobs.
  imports: [HoldfastModule.forRoot(application, { worker: process.env.WORKER !== "elsewhere" })],
  controllers: [SignUpsController, HealthController],
  providers: [Mailer, WelcomeMails, { provide: APP_FILTER, useClass: ProblemFilter }],
})
export class AppModule {}
