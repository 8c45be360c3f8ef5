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
  imports: [
    HoldfastModule.forRoot(application, {
      // API, console and reference.
      mount: "/jobs-admin",
      // A worker in this process, unless others run the jobs.
      worker: process.env.WORKER !== "elsewhere",
    }),
  ],
  controllers: [SignUpsController, HealthController],
  providers: [Mailer, WelcomeMails, { provide: APP_FILTER, useClass: ProblemFilter }],
})
export class AppModule {}
