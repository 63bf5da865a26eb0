// Whether this is built with a sanitizer that makes it slow and large.
#pragma once

namespace runfold::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace runfold::test
