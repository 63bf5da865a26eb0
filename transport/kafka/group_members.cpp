// What the members of a consumer group were given, as its coordinator tells.
#include "transport/kafka/group_members.hpp"

#include <concepts>
#include <cstdint>

namespace runfold::kafka {
namespace {

/// Takes big-endian numbers and texts from the front of bytes that nobody has looked at.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  template <std::signed_integral N>
  bool number(N& to) {
    if (bytes_.size() < sizeof to) return false;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < sizeof to; ++i) value = value << 8 | static_cast<unsigned char>(bytes_[i]);
    bytes_.remove_prefix(sizeof to);
    to = static_cast<N>(value);
    return true;
  }
  bool text(std::string& to) {
    std::int16_t size = 0;
    if (!number(size) || size < 0 || bytes_.size() < static_cast<std::size_t>(size)) return false;
    to.assign(bytes_.substr(0, static_cast<std::size_t>(size)));
    bytes_.remove_prefix(static_cast<std::size_t>(size));
    return true;
  }

 private:
  std::string_view bytes_;
};

bool add(const rd_kafka_group_info& group, std::set<TopicPartition>& given) {
  for (int m = 0; m < group.member_cnt; ++m) {
    const rd_kafka_group_member_info& member = group.members[m];
    if (member.member_assignment_size <= 0) continue;
    const auto partitions =
        read_assignment({static_cast<const char*>(member.member_assignment), static_cast<std::size_t>(member.member_assignment_size)});
    if (!partitions) return false;
    given.insert(partitions->begin(), partitions->end());
  }
  return true;
}

}  // namespace

std::optional<std::vector<TopicPartition>> read_assignment(std::string_view bytes) {
  Reader reader(bytes);
  std::int16_t version = 0;
  std::int32_t topics = 0;
  if (!reader.number(version) || version < 0 || !reader.number(topics)) return std::nullopt;
  std::vector<TopicPartition> partitions;
  for (; topics > 0; --topics) {
    TopicPartition at;
    std::int32_t numbers = 0;
    if (!reader.text(at.topic) || !reader.number(numbers)) return std::nullopt;
    for (; numbers > 0; --numbers) {
      if (!reader.number(at.partition)) return std::nullopt;
      partitions.push_back(at);
    }
  }
  return partitions;
}

// Not rd_kafka_DescribeConsumerGroups(): in librdkafka 2.0 to 2.12 at least, a connection that ends while it asks for the
// coordinator aborts the process, and a broker that does not know the question stops the client's main thread.
std::optional<std::set<TopicPartition>> given_to_members(rd_kafka_t* client, const std::string& group, std::chrono::milliseconds limit) {
  const rd_kafka_group_list* list = nullptr;
  const auto error = rd_kafka_list_groups(client, group.c_str(), &list, static_cast<int>(limit.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR && error != RD_KAFKA_RESP_ERR__PARTIAL) return std::nullopt;
  const GroupListHandle owned{list};
  for (int i = 0; i < list->group_cnt; ++i) {
    const rd_kafka_group_info& info = list->groups[i];
    if (info.group == nullptr || info.group != group || info.err || info.state == nullptr || std::string_view(info.state) != "Stable")
      continue;
    std::set<TopicPartition> given;
    if (add(info, given)) return given;
  }
  return std::nullopt;
}

}  // namespace runfold::kafka
