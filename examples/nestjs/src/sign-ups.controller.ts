import { Body, Controller, Get, HttpCode, Param, Post } from "@nestjs/common";
import { HoldfastProducer } from "holdfast/nestjs";
import { welcome } from "./jobs.js";

@Controller()
export class SignUpsController {
  constructor(private readonly jobs: HoldfastProducer) {}

  @Get()
  index() {
    return '<a href="/jobs-admin/console/">Jobs</a>';
  }

  @Post("signups/:id")
  @HttpCode(202)
  signUp(@Param("id") id: string, @Body() user: { email: string; name: string }) {
    // It checks the payload: what does not fit is answered 400.
    return this.jobs.submit(welcome, user, { idempotencyKey: `signup-${id}` });
  }

  @Get("signups/jobs/:id")
  status(@Param("id") id: string) {
    return this.jobs.status(welcome, id);
  }
}
