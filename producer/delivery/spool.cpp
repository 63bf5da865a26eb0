// Where the next byte is written and read, which files may go, and how far all is settled.
#include "producer/delivery/spool.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cstdio>
#include <utility>

namespace runfold::delivery {
namespace {

/// What a file begins with: its kind, and the version of its frames.
constexpr std::string_view kMagic = "RFSPOOL1";
constexpr const char* kEnding = ".spool";
constexpr const char* kMark = "settled";

/// A file in which all is settled goes when it has grown to this, though it could be written on.
constexpr std::uint64_t kSmallFile = 64 * 1024;
/// More than this is not kept for the next record.
constexpr std::size_t kBufferBytes = 1024 * 1024;

constexpr std::size_t kMarkBytes = 12;

/// So often in turn a file's next record may not be readable before the file is given up.
constexpr int kReadTries = 5;

namespace errc = boost::system::errc;

/// Of this process or its host, which says nothing about the file.
bool is_shortage(const DiskError& error) noexcept {
  return error == errc::too_many_files_open || error == errc::too_many_files_open_in_system || error == errc::not_enough_memory;
}

std::string file_name(std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%010llu%s", static_cast<unsigned long long>(number), kEnding);
  return name;
}

}  // namespace

Spool::Spool(SpoolFolder folder, Options options) : folder_(std::move(folder)), options_(std::move(options)) {
  read_mark();
  for (auto& path : folder_.files(kEnding)) {
    File file;
    file.number = next_number_++;
    file.path = std::move(path);
    std::error_code unknown;
    file.bytes = std::filesystem::file_size(file.path, unknown);
    if (unknown) file.bytes = 1;  // not empty: an empty one would be removed unread
    bytes_ += file.bytes;
    files_.push_back(std::move(file));
  }
  reading_ = files_.begin();
}

Spool::~Spool() {
  write_mark();
  if (!finished()) return;
  written_ = SpoolFile();
  for (auto at = files_.begin(); at != files_.end();) remove_if_done(at++);
  ::unlink((folder_.path() / kMark).c_str());
  folder_.remove();
}

DiskResult<std::uint64_t> Spool::append(const SpoolFrame& frame, bool parked) {
  assert(parked || !has_unread());
  const auto ordinal = write(frame);
  if (!ordinal) return ordinal;
  File& file = files_.back();
  if (reading_ == files_.end()) {
    reading_ = std::prev(files_.end());
    read_to_ = 0;
  }
  if (parked) {
    file.unread[static_cast<std::size_t>(frame.channel)] += frame.records;
    return ordinal;
  }
  while (&*reading_ != &file) leave_file();
  read_to_ = file.bytes;
  last_out_ = *ordinal;
  out_.emplace_hint(out_.end(), *ordinal, std::prev(files_.end()));
  ++file.out;
  return ordinal;
}

DiskResult<std::uint64_t> Spool::write(const SpoolFrame& frame) {
  if (!written_.is_open() || files_.back().bytes >= options_.file_bytes) {
    if (const auto error = begin_file()) return error;
  }
  File& file = files_.back();
  SpoolFrame numbered = frame;
  numbered.ordinal = last_appended_ + 1;
  buffer_.assign(file.bytes == 0 ? kMagic : "");
  append_frame(buffer_, numbered);
  if (const auto error = written_.write(file.bytes, buffer_)) {
    // What was written of it goes; where even that fails nothing is written behind it.
    if (written_.truncate(file.bytes)) written_ = SpoolFile();
    if (file.bytes == 0) drop_empty_file();
    return error;
  }
  file.bytes += buffer_.size();
  bytes_ += buffer_.size();
  if (buffer_.capacity() > kBufferBytes) std::string().swap(buffer_);
  return ++last_appended_;
}

DiskError Spool::begin_file() {
  if (!folder_.is_there()) {
    if (const auto error = make_folder_anew()) return error;
  }
  File file;
  file.number = next_number_;
  file.path = folder_.path() / file_name(file.number);
  auto opened = SpoolFile::open(file.path, O_WRONLY | O_CREAT | O_EXCL);
  if (!opened) return opened.error();
  ++next_number_;
  written_ = std::move(*opened);
  files_.push_back(std::move(file));
  if (files_.size() > 1) remove_if_done(std::prev(files_.end(), 2));
  return {};
}

DiskError Spool::make_folder_anew() {
  auto folder = SpoolFolder::make(folder_.path());
  if (!folder) return folder.error();
  folder_ = std::move(*folder);
  mark_ = SpoolFile();
  marked_ = 0;
  return {};
}

void Spool::leave_removed_file() noexcept {
  if (written_.is_open() && written_.is_removed()) written_ = SpoolFile();
}

void Spool::drop_empty_file() {
  if (reading_ == std::prev(files_.end())) reading_ = files_.end();
  written_ = SpoolFile();
  ::unlink(files_.back().path.c_str());
  files_.pop_back();
}

bool Spool::has_unread() const noexcept {
  return reading_ != files_.end() && (read_to_ < reading_->bytes || std::next(reading_) != files_.end());
}

DiskResult<std::optional<SpoolFrame>> Spool::read_next() {
  while (has_unread()) {
    File& file = *reading_;
    if (read_to_ >= file.bytes) {
      leave_file();
      continue;
    }
    const auto got = read_at(file);
    if (!got) {
      if (!give_up_unreadable(file, got.error())) return got.error();
      continue;
    }
    failed_reads_ = 0;
    if (!got->frame) {
      give_up_damaged(file, got->damage);
      continue;
    }
    const SpoolFrame& frame = *got->frame;
    auto& unread = file.unread[static_cast<std::size_t>(frame.channel)];
    unread -= std::min<std::uint64_t>(unread, frame.records);
    if (frame.ordinal <= last_out_) continue;  // settled before, as the mark says
    last_out_ = frame.ordinal;
    out_.emplace_hint(out_.end(), frame.ordinal, reading_);
    ++file.out;
    return got->frame;
  }
  if (reading_ != files_.end()) remove_if_done(reading_);
  return std::optional<SpoolFrame>();
}

DiskResult<Spool::Read> Spool::read_at(const File& file) {
  if (!read_.is_open()) {
    auto opened = SpoolFile::open(file.path, O_RDONLY);
    if (!opened) return opened.error();
    read_ = std::move(*opened);
  }
  char head[kMagic.size() + FrameHead::kBytes];
  const bool begins = read_to_ == 0;
  const std::size_t head_bytes = sizeof head - (begins ? 0 : kMagic.size());
  const auto head_read = read_.read(read_to_, head, head_bytes);
  if (!head_read) return head_read.error();
  if (*head_read < head_bytes) return Read{.frame = {}, .damage = Damage::kBreaksOff};
  if (begins && !std::string_view(head, sizeof head).starts_with(kMagic)) return Read{};
  const FrameHead about = FrameHead::read(head + head_bytes - FrameHead::kBytes);
  // Nothing is allocated by a length that the file does not hold.
  if (about.payload_bytes > FrameHead::kMostPayload) return Read{};
  if (about.payload_bytes + read_to_ + head_bytes > file.bytes) return Read{.frame = {}, .damage = Damage::kBreaksOff};
  if (buffer_.capacity() > kBufferBytes) std::string().swap(buffer_);
  buffer_.resize(about.payload_bytes);
  const auto payload_read = read_.read(read_to_ + head_bytes, buffer_.data(), buffer_.size());
  if (!payload_read) return payload_read.error();
  if (!about.fits(std::string_view(buffer_).substr(0, *payload_read))) return Read{};
  auto frame = read_frame(buffer_);
  if (frame) read_to_ += head_bytes + about.payload_bytes;
  return Read{.frame = frame};
}

void Spool::give_up_damaged(File& file, Damage damage) {
  // The last file may break off where its writer was killed. Elsewhere somebody may want to look at it.
  const bool set_aside = damage == Damage::kWrong || std::next(reading_) != files_.end();
  give_up_rest(file, damage == Damage::kBreaksOff ? "breaks off at byte " : "is damaged at byte ", set_aside);
}

bool Spool::give_up_unreadable(File& file, const DiskError& error) {
  read_ = SpoolFile();
  if (error == errc::no_such_file_or_directory) {
    give_up_rest(file, "was removed when it was read to byte ", false);
  } else if (!is_shortage(error) && ++failed_reads_ >= kReadTries) {
    give_up_rest(file, "cannot be read (" + error.message() + ") from byte ", true);
  } else {
    return false;
  }
  return true;
}

void Spool::give_up_rest(File& file, const std::string& what, bool set_aside) {
  for (std::size_t i = 0; i < lost_.size(); ++i) lost_[i] += std::exchange(file.unread[i], 0);
  file.set_aside = set_aside;
  failed_reads_ = 0;
  options_.tell("the spool file " + file.path.string() + " " + what + std::to_string(read_to_) + ": what stands before is sent, the last " +
                std::to_string(file.bytes - read_to_) + " bytes are lost" + (set_aside ? "; it is set aside as *.damaged" : ""));
  read_to_ = file.bytes;
  if (&file == &files_.back()) written_ = SpoolFile();  // nothing is written behind that
}

void Spool::leave_file() {
  const At left = reading_++;
  read_to_ = 0;
  read_ = SpoolFile();
  remove_if_done(left);
}

bool Spool::is_read(const File& file) const noexcept {
  if (reading_ == files_.end() || file.number < reading_->number) return true;
  return file.number == reading_->number && read_to_ >= file.bytes;
}

void Spool::remove_if_done(At file) {
  if (file->out > 0 || !is_read(*file)) return;
  const bool is_written = written_.is_open() && &*file == &files_.back();
  if (is_written && file->bytes < kSmallFile) return;
  if (is_written) written_ = SpoolFile();
  if (file == reading_) {
    ++reading_;
    read_to_ = 0;
    read_ = SpoolFile();
  }
  if (file->set_aside) {
    ::rename(file->path.c_str(), (file->path.string() + ".damaged").c_str());
  } else {
    ::unlink(file->path.c_str());
  }
  bytes_ -= file->bytes;
  files_.erase(file);
}

void Spool::settle(std::uint64_t ordinal) {
  const auto at = out_.find(ordinal);
  assert(at != out_.end());
  if (at == out_.end()) return;
  const At file = at->second;
  out_.erase(at);
  --file->out;
  remove_if_done(file);
}

void Spool::put_back(std::uint64_t ordinal) {
  assert(out_.contains(ordinal));
  if (out_.contains(ordinal)) ++put_back_;
}

Spool::Records Spool::unread_records() const noexcept {
  Records sum{};
  for (const auto& file : files_) {
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += file.unread[i];
  }
  return sum;
}

void Spool::read_mark() {
  char bytes[kMarkBytes];
  const auto mark = SpoolFile::open(folder_.path() / kMark, O_RDONLY);
  if (!mark) return;
  const auto size = mark->read(0, bytes, sizeof bytes);
  if (!size || *size < sizeof bytes) return;
  // One that is not whole says nothing: then all is sent again, which harms nobody.
  const FrameHead head = FrameHead::read(bytes);
  const FrameHead tail = FrameHead::read(bytes + 4);
  if (crc32c({bytes, 8}) != tail.checksum) return;
  marked_ = last_out_ = head.payload_bytes | static_cast<std::uint64_t>(head.checksum) << 32;
}

void Spool::write_mark() noexcept {
  const std::uint64_t settled = out_.empty() ? last_out_ : out_.begin()->first - 1;
  if (settled == marked_) return;
  char bytes[kMarkBytes];
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(settled >> (8 * i));
  const std::uint32_t checksum = crc32c({bytes, 8});
  for (std::size_t i = 0; i < 4; ++i) bytes[8 + i] = static_cast<char>(checksum >> (8 * i));
  if (!mark_.is_open()) {
    auto opened = SpoolFile::open(folder_.path() / kMark, O_WRONLY | O_CREAT);
    if (opened) mark_ = std::move(*opened);
  }
  // Without it more is sent twice after a takeover, and nothing is lost.
  if (mark_.is_open() && !mark_.write(0, {bytes, sizeof bytes})) marked_ = settled;
}

}  // namespace runfold::delivery
