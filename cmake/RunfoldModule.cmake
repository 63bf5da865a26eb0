# Targets that enforce who may include whom.
#
# Includes are written from the top of the tree ("transport/kafka/producer.hpp"), but the top is on nobody's include path.
# Each module's headers are linked into a folder of their own under the build tree, and a target sees only the folders of
# the modules that it USES. An include that DESIGN does not allow does not compile.

# runfold_module(NAME SOURCES glob... [USES module...] [LINKS library...] [PCH asio|proto|cli])
#
# A library of every .cpp and .hpp that the globs match. USES and LINKS are public.
function(runfold_module name)
  cmake_parse_arguments(ARG "" "PCH" "SOURCES;USES;LINKS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
  file(GLOB sources CONFIGURE_DEPENDS ${ARG_SOURCES})
  set(headers ${sources})
  list(FILTER headers INCLUDE REGEX "\\.hpp$")
  list(FILTER sources INCLUDE REGEX "\\.cpp$")

  set(view "${PROJECT_BINARY_DIR}/include/${name}")
  foreach(header IN LISTS headers)
    file(RELATIVE_PATH path "${PROJECT_SOURCE_DIR}" "${header}")
    get_filename_component(folder "${view}/${path}" DIRECTORY)
    file(MAKE_DIRECTORY "${folder}")
    file(CREATE_LINK "${header}" "${view}/${path}" SYMBOLIC)
  endforeach()

  list(TRANSFORM ARG_USES PREPEND "runfold_")
  if(sources)
    add_library(runfold_${name} STATIC ${sources})
    target_include_directories(runfold_${name} PUBLIC "${view}")
    target_link_libraries(runfold_${name} PUBLIC ${ARG_USES} ${ARG_LINKS} Threads::Threads)
    runfold_target(runfold_${name} ${ARG_PCH})
    if(RUNFOLD_SANITIZE)
      runfold_together(runfold_${name})
    endif()
  else()
    add_library(runfold_${name} INTERFACE)
    target_include_directories(runfold_${name} INTERFACE "${view}")
    target_link_libraries(runfold_${name} INTERFACE ${ARG_USES} ${ARG_LINKS})
  endif()
endfunction()

# runfold_together(TARGET)
#
# Compiles a target's files several at a time: most of a file's time goes into what it includes. What its files keep to themselves
# needs names that differ. So it is with all tests, and with the product under a sanitizer, where nobody changes a file at a time.
function(runfold_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 8)
  # g++ takes the files, which are included then, for headers that name what no other file can.
  target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
endfunction()

# runfold_program(NAME OUTPUT file SOURCES glob... [USES module...] [LINKS library...] [PCH asio|proto|cli])
function(runfold_program name)
  cmake_parse_arguments(ARG "" "PCH;OUTPUT" "SOURCES;USES;LINKS" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND "${PROJECT_SOURCE_DIR}/")
  file(GLOB sources CONFIGURE_DEPENDS ${ARG_SOURCES})
  if(NOT sources)
    return()
  endif()
  list(TRANSFORM ARG_USES PREPEND "runfold_")
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARG_USES} ${ARG_LINKS} Threads::Threads)
  if(ARG_OUTPUT)
    set_target_properties(${name} PROPERTIES OUTPUT_NAME "${ARG_OUTPUT}" RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
  endif()
  runfold_target(${name} ${ARG_PCH})
endfunction()

# runfold_test(NAME FOLDER folder [USES module...] [LINKS library...] [PCH asio|proto|cli] [LAUNCHER command...] [LABEL label] [SHARDS count])
#
# One GoogleTest program of a folder's .cpp files, and a ctest test that runs it; or as many tests as SHARDS says, each with a part of it.
function(runfold_test name)
  cmake_parse_arguments(ARG "" "FOLDER;PCH;LABEL;SHARDS" "USES;LINKS;LAUNCHER" ${ARGN})
  if(ARG_PCH)
    set(pch PCH ${ARG_PCH}_test)
  endif()
  runfold_program(${name} SOURCES "${ARG_FOLDER}/*.cpp" USES test_support ${ARG_USES} LINKS ${ARG_LINKS} GTest::gmock_main ${pch})
  if(NOT TARGET ${name})
    return()
  endif()
  # What is tested is optimised; the tests themselves compile in a third of the time without.
  target_compile_options(${name} PRIVATE -O0)
  runfold_together(${name})
  if(NOT ARG_SHARDS)
    set(ARG_SHARDS 1)
  endif()
  math(EXPR last "${ARG_SHARDS} - 1")
  foreach(shard RANGE ${last})
    set(test ${name})
    if(last)
      set(test ${name}_${shard})
    endif()
    add_test(NAME ${test} COMMAND ${ARG_LAUNCHER} $<TARGET_FILE:${name}> WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
    set_tests_properties(${test} PROPERTIES LABELS "${ARG_LABEL}" TIMEOUT 900 SKIP_RETURN_CODE 77)
    if(last)
      # What takes long enough to be divided begins first: see tests/CMakeLists.txt.
      set_tests_properties(${test} PROPERTIES ENVIRONMENT "GTEST_TOTAL_SHARDS=${ARG_SHARDS};GTEST_SHARD_INDEX=${shard}" COST 1000)
    endif()
  endforeach()
endfunction()

# runfold_pch(NAME HEADERS header... LINKS library... [OPTIONS option...])
#
# A precompiled header for PCH NAME, and what those who use it must see.
function(runfold_pch name)
  cmake_parse_arguments(ARG "" "" "HEADERS;LINKS;OPTIONS" ${ARGN})
  add_library(runfold_pch_${name}_uses INTERFACE)
  target_link_libraries(runfold_pch_${name}_uses INTERFACE ${ARG_LINKS})
  add_library(runfold_pch_${name} OBJECT cmake/pch.cpp)
  target_compile_options(runfold_pch_${name} PRIVATE -Wpedantic ${ARG_OPTIONS})
  target_link_libraries(runfold_pch_${name} PRIVATE runfold_pch_${name}_uses)
  target_precompile_headers(runfold_pch_${name} PRIVATE ${ARG_HEADERS})
endfunction()

# Warnings and, where it helps, a precompiled header shared by all who use the same one.
function(runfold_target target)
  # What is left out, g++ 12 sees wrongly: in "text" + std::string (GCC bug 105651), and in coroutine frames, whose new it
  # inlines and whose delete it does not. The address sanitizer watches the same at run time.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Werror -Wno-restrict
                         -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-mismatched-new-delete)
  if(ARGN)
    target_precompile_headers(${target} REUSE_FROM runfold_pch_${ARGN})
    target_link_libraries(${target} PRIVATE runfold_pch_${ARGN}_uses)
  endif()
endfunction()
