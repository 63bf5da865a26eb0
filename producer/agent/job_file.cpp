// Holding, reading and writing the file of jobs.
#include "producer/agent/job_file.hpp"

#include "producer/agent/job_line.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>
#include <variant>

namespace runfold::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHeader = "runfold agent jobs 1\n";
/// No line is longer: names have at most 200 bytes each.
constexpr std::size_t kMostLine = 32 * 1024;
/// So much of jobs that have left may stand in the file, beyond as much again as the others take.
constexpr std::size_t kMostLeft = 64 * 1024;

bool write_all(int file, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

Descriptor open_file(const fs::path& path, int flags) noexcept {
  // A pipe in the file's place must not make us wait for its other end.
  return Descriptor(::open(path.c_str(), flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
}

bool is_removed(int file) noexcept {
  struct stat about {};
  return ::fstat(file, &about) == 0 && about.st_nlink == 0;
}

bool is_our_file(int file) noexcept {
  struct stat about {};
  return ::fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_uid == ::geteuid();
}

void make_folder(const fs::path& folder) {
  std::error_code above;  // what cannot be made cannot be opened, and that is told
  fs::create_directories(folder.parent_path(), above);
  static_cast<void>(::mkdir(folder.c_str(), 0700));
}

}  // namespace

JobFile::JobFile(fs::path path, Tell tell) : path_(std::move(path)), tell_(std::move(tell)) {}

JobFile::~JobFile() {
  // While it is held: who has it open already sees that it is removed.
  if (file_ && lines_.empty() && !is_removed(file_.get())) ::unlink(path_.c_str());
}

std::vector<RememberedJob> JobFile::open() {
  std::vector<RememberedJob> jobs;
  if (!hold()) return jobs;
  if (!read(jobs)) {
    const fs::path aside = path_.string() + ".damaged";
    if (::rename(path_.c_str(), aside.c_str()) != 0) {
      fail("is damaged and cannot be set aside", errno);
      file_.close();
      return {};
    }
    tell_("the agent's file of jobs " + path_.string() + " is damaged or none of its own: of what an earlier agent left there " +
          std::to_string(lines_.size()) + " jobs can be read and go on, the rest is forgotten; the file is kept as " + aside.string());
  }
  std::erase_if(jobs, [this](const RememberedJob& job) { return !lines_.contains(job.token_sha256); });
  write_anew();
  return jobs;
}

bool JobFile::hold() {
  make_folder(path_.parent_path());
  for (;;) {
    Descriptor file = open_file(path_, O_RDWR);
    if (!file) {
      fail("cannot be opened", errno);
      return false;
    }
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
      fail("is in use by another agent on the same port, so give this one a --spool of its own", errno);
      return false;
    }
    if (is_removed(file.get())) continue;  // by the one who held it: its lock holds nothing
    file_ = std::move(file);
    return true;
  }
}

/// False: something in it cannot be read.
bool JobFile::read(std::vector<RememberedJob>& jobs) {
  if (!is_our_file(file_.get())) return false;
  std::string pending;
  bool has_header = false;
  bool whole = true;
  for (std::array<char, 64 * 1024> chunk;;) {
    const ssize_t got = ::read(file_.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    pending.append(chunk.data(), static_cast<std::size_t>(got));
    if (!has_header) {
      if (pending.size() < kHeader.size()) continue;
      if (!pending.starts_with(kHeader)) return false;
      has_header = true;
      pending.erase(0, kHeader.size());
    }
    std::size_t from = 0;
    for (std::size_t end = 0; (end = pending.find('\n', from)) != std::string::npos; from = end + 1) {
      whole = read_line(std::string_view(pending).substr(from, end - from), jobs) && whole;
    }
    pending.erase(0, from);
    if (pending.size() > kMostLine) return false;
  }
  return whole && pending.empty();
}

bool JobFile::read_line(std::string_view line, std::vector<RememberedJob>& jobs) {
  auto change = read_job_line(line);
  if (!change) return false;
  if (const auto* left = std::get_if<LeftJob>(&*change)) {
    lines_.erase(left->token_sha256);
    return true;
  }
  auto& job = std::get<RememberedJob>(*change);
  if (lines_.emplace(job.token_sha256, std::string(line) + "\n").second) jobs.push_back(std::move(job));
  return true;
}

void JobFile::remember(const RememberedJob& job) {
  if (!file_) return;
  std::string line = job_line(job);
  live_bytes_ += line.size();
  lines_.insert_or_assign(job.token_sha256, line);
  append(std::move(line));
}

void JobFile::forget(const std::string& token_sha256) {
  const auto at = lines_.find(token_sha256);
  if (!file_ || at == lines_.end()) return;
  live_bytes_ -= at->second.size();
  lines_.erase(at);
  append(job_line(LeftJob{token_sha256}));
}

void JobFile::append(std::string line) {
  const bool outweighed = bytes_ + line.size() > 2 * live_bytes_ + kMostLeft;
  if (failing_ || outweighed || is_removed(file_.get())) {
    write_anew();
    return;
  }
  if (write_all(file_.get(), line)) {
    bytes_ += line.size();
    return;
  }
  fail("cannot be written", errno);
  // Not to leave half a line, if that is granted.
  static_cast<void>(::ftruncate(file_.get(), static_cast<off_t>(bytes_)));
}

// The new file is held before it has the name, so at no moment could another agent take it.
bool JobFile::write_anew() {
  make_folder(path_.parent_path());
  const std::string beside = path_.string() + ".new";
  ::unlink(beside.c_str());  // by one that was killed while it wrote, or a stranger's: never written into
  Descriptor file = open_file(beside, O_RDWR | O_EXCL | O_APPEND);
  std::string text(kHeader);
  for (const auto& [token_sha256, line] : lines_) text += line;
  const bool written = file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && write_all(file.get(), text);
  if (!written || ::rename(beside.c_str(), path_.c_str()) != 0) {
    fail("cannot be written", errno);
    if (file) ::unlink(beside.c_str());
    return false;
  }
  file_ = std::move(file);
  bytes_ = text.size();
  live_bytes_ = text.size() - kHeader.size();
  failing_ = false;
  return true;
}

void JobFile::fail(const std::string& what, int error) {
  if (!std::exchange(failing_, true)) {
    tell_("the agent's file of jobs " + path_.string() + " " + what + " (" + std::generic_category().message(error) +
          "): the next agent will not know the jobs that are registered meanwhile");
  }
}

}  // namespace runfold::agent
