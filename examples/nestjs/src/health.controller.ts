import { Controller, Get, ServiceUnavailableException } from "@nestjs/common";
import { HoldfastHealth } from "holdfast/nestjs";

@Controller("health")
export class HealthController {
  constructor(private readonly holdfast: HoldfastHealth) {}

  @Get()
  async check() {
    const health = await this.holdfast.isHealthy();
    if (health.holdfast.status === "down") throw new ServiceUnavailableException(health);
    return health;
  }
}
