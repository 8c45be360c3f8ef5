import type { Feature } from "../../core/feature.ts";
import { declaredSchedules } from "./declared.ts";
import { tickKeyFault } from "./tick-keys.ts";

export const schedules: Feature = {
  name: "schedules",
  ...declaredSchedules,
  clientKeyFaultOf: tickKeyFault,
};
