// Reads a file of Kafka client properties.
#include "transport/kafka/properties_file.hpp"

#include <cstddef>
#include <fstream>

namespace runfold::kafka {

Result<void> read_properties_file(const std::string& path, Properties& properties) {
  // A folder can be opened, but nothing can be read of it.
  std::ifstream file(path);
  file.peek();
  if (!file && !file.eof()) {
    return Error{Errc::kInvalid, "the Kafka properties file " + path + " cannot be read; it holds one name=value a line"};
  }
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string::npos || line[begin] == '#') continue;
    const std::size_t end = line.find_last_not_of(" \t\r");
    if (const auto set = properties.set_pair(line.substr(begin, end - begin + 1)); !set) {
      return Error{Errc::kInvalid, path + ":" + std::to_string(number) + ": " + set.error().message};
    }
  }
  return {};
}

}  // namespace runfold::kafka
