import { type ArgumentsHost, Catch, type ExceptionFilter } from "@nestjs/common";
import { HoldfastError } from "holdfast";

/** Without it Nest answers with the error's status and message; with it also which members of a payload are wrong. */
@Catch(HoldfastError)
export class ProblemFilter implements ExceptionFilter<HoldfastError> {
  catch(error: HoldfastError, host: ArgumentsHost) {
    const response = host.switchToHttp().getResponse();
    response.status(error.statusCode).type("application/problem+json").send(error.toProblem());
  }
}
