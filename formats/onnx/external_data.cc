#include "formats/onnx/external_data.h"

namespace moka::onnx {
namespace {

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<ExternalBytes> ExternalFiles::Map(const ExternalLocation& where, uint64_t bytes) {
  const std::string location(where.location);
  if (where.has_length && where.length != bytes) {
    return InvalidModel("external data '", location, "' states a length of ", where.length, " bytes, the shape needs ",
                        bytes);
  }
  auto file = files_.find(location);
  if (file == files_.end()) {
    MOKA_ASSIGN_OR_RETURN(auto opened, Open(location));
    file = files_.emplace(location, std::move(opened)).first;
  }
  const uint64_t size = file->second->size();
  if (where.offset > size || bytes > size - where.offset) {
    return InvalidModel("external data '", location, "' has ", size, " bytes, the tensor needs ", bytes, " at offset ",
                        where.offset);
  }
  return ExternalBytes{file->second->data() + where.offset, file->second};
}

Result<std::shared_ptr<const MappedFile>> ExternalFiles::Open(const std::string& location) {
  if (model_path_.empty()) {
    return Unsupported("external data '", location, "' of a model that was not read from a file");
  }
  if (location.empty() || location.front() == '/' || location.find('\0') != std::string::npos) {
    return InvalidModel("external data location '", location.c_str(), "' is not a relative path");
  }
  if (folder_.empty()) {
    MOKA_ASSIGN_OR_RETURN(folder_, CanonicalPath(FolderOf(model_path_)));
    if (folder_.back() != '/') folder_ += '/';
  }
  MOKA_ASSIGN_OR_RETURN(const std::string path, CanonicalPath(folder_ + location));
  if (path.compare(0, folder_.size(), folder_) != 0) {
    return InvalidModel("external data location '", location, "' leaves the model's folder");
  }
  return MappedFile::Open(path);
}

}  // namespace moka::onnx
