// The records of one producer on disk: appended, read back in order, and gone once they are settled.
#pragma once

#include "producer/delivery/spool_file.hpp"
#include "producer/delivery/spool_folder.hpp"
#include "producer/delivery/spool_frame.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace runfold::delivery {

/// Says a sentence about trouble with the disk.
using TellTrouble = std::function<void(const std::string&)>;

/// A row of files, written at its end and read from its beginning, in a folder that this object holds.
///
/// A record is *unread* while only the disk has it, *out* while it is in memory and not settled. A file goes when nothing in
/// it is unread or out. Beside the files lies the mark: the ordinal up to which all is settled, so that who takes the folder
/// over sends little twice. A record that is not whole ends its file: all before it is given out, the loss is told, and a
/// file that does not merely break off is set aside under another name. So does one that the disk will not give after some
/// tries. Where somebody removes files, what was unread in them is lost, and told; a folder that is removed is made anew.
/// Thread: one.
class Spool {
 public:
  struct Options {
    /// A file that has grown to this is followed by the next one.
    std::uint64_t file_bytes = 4 * 1024 * 1024;
    TellTrouble tell;
  };
  /// What lies in the folder is unread.
  Spool(SpoolFolder folder, Options options);
  /// Removes the folder when nothing is left in it.
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  /// Writes a record behind all others and gives its ordinal. It is unread if `parked`, else out; what is unread may not be
  /// overtaken, so all behind it must be parked too. Errors: of the system; then nothing of it is left.
  [[nodiscard]] DiskResult<std::uint64_t> append(const SpoolFrame& frame, bool parked);

  [[nodiscard]] bool has_unread() const noexcept;
  /// The first unread record, which is out from now on; its views are valid until the next call of anything here. Nothing
  /// when none is left. Errors: of the system, before it gives up on a file; then the record is still unread.
  [[nodiscard]] DiskResult<std::optional<SpoolFrame>> read_next();
  /// A record that was out is accounted for.
  void settle(std::uint64_t ordinal);
  /// A record that was out is neither read again here nor settled: it stays on disk for who has this folder next.
  void put_back(std::uint64_t ordinal);
  /// Writes no further into a file that somebody has removed. Call it now and then.
  void leave_removed_file() noexcept;
  /// Writes the mark, if it has changed.
  void write_mark() noexcept;

  [[nodiscard]] bool finished() const noexcept { return out_.empty() && !has_unread(); }
  /// Some records are out, and not put back.
  [[nodiscard]] bool is_in_use() const noexcept { return out_.size() > put_back_; }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return folder_.path(); }
  /// What its files take on disk.
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

  /// Connector's records by topic; of a folder that was found none are known.
  using Records = std::array<std::uint64_t, kChannels.size()>;
  [[nodiscard]] Records unread_records() const noexcept;
  /// Those that could not be read since the last call.
  [[nodiscard]] Records take_lost() noexcept { return std::exchange(lost_, {}); }

 private:
  struct File {
    std::uint64_t number = 0;
    std::filesystem::path path;
    std::uint64_t bytes = 0;
    /// Records of it that are out.
    std::uint64_t out = 0;
    Records unread{};
    bool set_aside = false;
  };
  using At = std::list<File>::iterator;
  enum class Damage : std::uint8_t { kBreaksOff, kWrong };
  struct Read {
    std::optional<SpoolFrame> frame;
    Damage damage = Damage::kWrong;  ///< when there is no frame
  };

  DiskResult<std::uint64_t> write(const SpoolFrame& frame);
  DiskError begin_file();
  DiskError make_folder_anew();
  void drop_empty_file();
  DiskResult<Read> read_at(const File& file);
  void give_up_damaged(File& file, Damage damage);
  bool give_up_unreadable(File& file, const DiskError& error);
  void give_up_rest(File& file, const std::string& what, bool set_aside);
  void leave_file();
  void remove_if_done(At file);
  [[nodiscard]] bool is_read(const File& file) const noexcept;
  void read_mark();

  SpoolFolder folder_;
  const Options options_;
  std::list<File> files_;
  std::uint64_t bytes_ = 0;
  std::string buffer_;

  SpoolFile written_;  ///< the last of files_, while more may be appended to it
  std::uint64_t next_number_ = 1;
  std::uint64_t last_appended_ = 0;

  SpoolFile read_;  ///< *reading_, once something was read from it
  At reading_ = files_.end();
  std::uint64_t read_to_ = 0;
  int failed_reads_ = 0;        ///< one after the other, of *reading_
  std::uint64_t last_out_ = 0;  ///< the highest ordinal that is or was out
  std::map<std::uint64_t, At> out_;
  std::size_t put_back_ = 0;  ///< those of out_ that stay so
  Records lost_{};

  SpoolFile mark_;
  std::uint64_t marked_ = 0;
};

}  // namespace runfold::delivery
