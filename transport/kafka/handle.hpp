// Owners of librdkafka's C objects: each frees what it holds.
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>

namespace runfold::kafka {

/// Calls one C function on the pointer that goes out of scope.
template <auto kFree>
struct FreeWith {
  template <class T>
  void operator()(T* handle) const noexcept {
    kFree(handle);
  }
};

using ConfHandle = std::unique_ptr<rd_kafka_conf_t, FreeWith<rd_kafka_conf_destroy>>;
using ClientHandle = std::unique_ptr<rd_kafka_t, FreeWith<rd_kafka_destroy>>;
using TopicHandle = std::unique_ptr<rd_kafka_topic_t, FreeWith<rd_kafka_topic_destroy>>;
using QueueHandle = std::unique_ptr<rd_kafka_queue_t, FreeWith<rd_kafka_queue_destroy>>;
using HeadersHandle = std::unique_ptr<rd_kafka_headers_t, FreeWith<rd_kafka_headers_destroy>>;
using EventHandle = std::unique_ptr<rd_kafka_event_t, FreeWith<rd_kafka_event_destroy>>;
using ErrorHandle = std::unique_ptr<rd_kafka_error_t, FreeWith<rd_kafka_error_destroy>>;
using PartitionListHandle = std::unique_ptr<rd_kafka_topic_partition_list_t, FreeWith<rd_kafka_topic_partition_list_destroy>>;
using MetadataHandle = std::unique_ptr<const rd_kafka_metadata_t, FreeWith<rd_kafka_metadata_destroy>>;
using GroupListHandle = std::unique_ptr<const rd_kafka_group_list, FreeWith<rd_kafka_group_list_destroy>>;
using NewTopicHandle = std::unique_ptr<rd_kafka_NewTopic_t, FreeWith<rd_kafka_NewTopic_destroy>>;
using AdminOptionsHandle = std::unique_ptr<rd_kafka_AdminOptions_t, FreeWith<rd_kafka_AdminOptions_destroy>>;
using ConfigResourceHandle = std::unique_ptr<rd_kafka_ConfigResource_t, FreeWith<rd_kafka_ConfigResource_destroy>>;

}  // namespace runfold::kafka
