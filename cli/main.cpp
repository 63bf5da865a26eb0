// The `runfold` command.
#include "cli/command.hpp"
#include "transport/kafka/client_end.hpp"

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

namespace {

// The sanitizers look at what is left at an ordinary end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kEndsProcess = false;
#else
constexpr bool kEndsProcess = true;
#endif

}  // namespace

int main(int argc, char** argv) {
  const char* no_colour = std::getenv("NO_COLOR");
  const bool colour = ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0');
  std::ios::sync_with_stdio(false);
  int code = runfold::cli::kConfiguration;
  try {
    code = runfold::cli::run(argc, argv, {std::cin, std::cout, std::cerr, colour}, kEndsProcess);
  } catch (const std::exception& error) {
    std::cerr << "runfold: " << error.what() << "\n";
  }
  return runfold::kafka::leave(code);
}
